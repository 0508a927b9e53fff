const ui = document.getElementById("ui");
SwaggerUIBundle({
  url: ui.dataset.document,
  domNode: ui,
  deepLinking: true,
  // nothing is sent to a validator on the internet
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
});
