"use strict";
(() => {
  const { action, step, next, continuation, kinds } = document.currentScript.dataset;
  const main = document.querySelector("main") || document.body;
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => {
    const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(plain, (character) => character.charCodeAt(0));
  };
  const base64url = (buffer) => {
    const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
    return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  };
  const listed = (keys) => (keys || []).map((key) => ({ ...key, id: bytes(key.id) }));

  const ask = async (path, body) => {
    const response = await fetch(`${action}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
      redirect: "error",
    });
    const answer = await response.json().catch(() => ({}));
    if (answer.location) {
      if (answer.form) submit(answer.location, answer.form);
      else location.assign(answer.location);
      return new Promise(() => {});
    }
    if (!response.ok) throw new Error(answer.detail || "That did not work. Please try again.");
    return answer;
  };

  // what is shown once is the answer to a form
  const submit = (action, fields) => {
    const form = document.createElement("form");
    Object.assign(form, { method: "post", action });
    for (const [name, value] of Object.entries(fields)) {
      const field = document.createElement("input");
      Object.assign(field, { type: "hidden", name, value });
      form.append(field);
    }
    main.append(form);
    form.submit();
  };

  const create = async (publicKey) => {
    const key = await navigator.credentials.create({
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        user: { ...publicKey.user, id: bytes(publicKey.user.id) },
        excludeCredentials: listed(publicKey.excludeCredentials),
      },
    });
    return sent(key, {
      attestationObject: base64url(key.response.attestationObject),
      transports: key.response.getTransports ? key.response.getTransports() : [],
    });
  };
  const get = async (publicKey, more) => {
    const key = await navigator.credentials.get({
      ...more,
      publicKey: {
        ...publicKey,
        challenge: bytes(publicKey.challenge),
        allowCredentials: listed(publicKey.allowCredentials),
      },
    });
    const { authenticatorData, signature, userHandle } = key.response;
    return sent(key, {
      authenticatorData: base64url(authenticatorData),
      signature: base64url(signature),
      userHandle: userHandle ? base64url(userHandle) : null,
    });
  };
  const sent = (key, response) => ({
    id: key.id,
    rawId: base64url(key.rawId),
    type: key.type,
    response: { ...response, clientDataJSON: base64url(key.response.clientDataJSON) },
    clientExtensionResults: {},
  });

  const say = (text) => {
    main.querySelectorAll("[role=alert],[role=status]").forEach((one) => one.remove());
    const alert = document.createElement("p");
    alert.className = "error";
    alert.setAttribute("role", "alert");
    alert.textContent = text;
    const title = main.querySelector("h1");
    if (title) title.after(alert);
    else main.prepend(alert);
    alert.scrollIntoView({ block: "nearest" });
  };
  const words = (error) =>
    ({
      NotAllowedError: "No key was used. Please try again, or choose another way.",
      InvalidStateError: "This key is yours already.",
      SecurityError: "Keys cannot be used at this address. Please tell the operator of this site.",
      NotSupportedError: "This key cannot be used here.",
      TypeError: "The site cannot be reached. Please try again.",
    })[error.name] || error.message;

  let waiting = new AbortController();
  const run = async (button, work) => {
    waiting.abort();
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      button.disabled = false;
      // a button that is disabled loses the focus; what is said may be far above it
      button.focus({ preventScroll: true });
      if (error.name !== "AbortError") say(words(error));
      offer();
    }
  };
  const button = (text, work, look = "button plain") => {
    const one = document.createElement("button");
    one.type = "button";
    one.className = look;
    one.textContent = text;
    one.addEventListener("click", () => run(one, work));
    return one;
  };

  // the browser offers passkeys in the field for the name, for as long as the page is open; a challenge is good for five minutes
  const offer = async () => {
    if (step !== "sign-in" || !PublicKeyCredential.isConditionalMediationAvailable) return;
    const name = main.querySelector("input[autocomplete~=username]");
    if (!name || !(await PublicKeyCredential.isConditionalMediationAvailable())) return;
    name.autocomplete = "username webauthn";
    waiting = new AbortController();
    const { signal } = waiting;
    const again = () => {
      if (signal.aborted) return;
      if (document.hidden) return document.addEventListener("visibilitychange", again, { once: true });
      waiting.abort();
      offer();
    };
    const timer = setTimeout(again, 240_000);
    try {
      await signIn({ mediation: "conditional", signal });
    } catch (error) {
      if (!["AbortError", "NotAllowedError"].includes(error.name) && !signal.aborted) say(words(error));
    }
    clearTimeout(timer);
  };
  const signIn = async (more) => {
    const { ceremony, publicKey } = await ask("sign-in/start", {});
    const credential = await get(publicKey, more);
    await ask("sign-in/finish", { ceremony, credential, next });
  };
  const prove = async (kind) => {
    const { ceremony, publicKey } = await ask("second-factor/start", { continuation, kind });
    const credential = await get(publicKey, {});
    await ask("second-factor/finish", { continuation, ceremony, credential, next });
  };
  const register = async (kind, name) => {
    const { ceremony, publicKey } = await ask("registration/start", { kind, next });
    const credential = await create(publicKey);
    await ask("registration/finish", { ceremony, credential, name, next });
  };

  const place = main.querySelector("[data-passkeys], section[aria-labelledby=factors]") || main;
  if (step === "sign-in") {
    place.append(button("Sign in with a passkey", () => signIn({})));
    offer();
  }
  if (step === "second-factor") {
    const texts = { passkey: "Use a passkey", security_key: "Use a security key" };
    const form = main.querySelector("form");
    const first = main.querySelector("[data-passkeys]");
    main.querySelectorAll("[data-without-keys]").forEach((one) => one.remove());
    const key = (kind, look) => button(texts[kind], () => prove(kind), look);
    if (first) {
      form.querySelectorAll("button").forEach((one) => one.classList.add("plain"));
      kinds.split(" ").forEach((kind, at) => first.append(key(kind, at ? "button plain" : "button")));
    } else {
      for (const kind of kinds.split(" ").reverse()) form.after(key(kind));
    }
  }
  if (step === "registration") {
    const label = document.createElement("label");
    label.htmlFor = "key-name";
    label.textContent = "Name of the new key";
    label.style.marginTop = "1.25rem";
    const name = document.createElement("input");
    Object.assign(name, { id: "key-name", maxLength: 64, autocomplete: "off", placeholder: "My phone" });
    place.append(label, name);
    place.append(button("Add a passkey", () => register("passkey", name.value), "small"));
    const plain = button("Add a security key without a PIN", () => register("security_key", name.value), "plain small");
    plain.style.marginTop = "0.5rem";
    place.append(plain);
  }
})();
