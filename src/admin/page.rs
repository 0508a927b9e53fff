//! The files of the dashboard. All of them are in the binary, and the page loads nothing from elsewhere.

use bytes::Bytes;
use http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;

use super::response::respond;

/// Nothing but own files, no inline script or style, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const OPENER: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const RESOURCE: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! files {
    ($($path:literal $kind:expr => $name:literal)+) => {
        &[$(File { path: $path, kind: $kind, text: include_str!(concat!("../../assets/dashboard/", $name)) }),+]
    };
}

const FILES: &[File] = files! {
    "/" "text/html; charset=utf-8" => "index.html"
    "/dashboard/style.css" "text/css; charset=utf-8" => "style.css"
    "/dashboard/icon.svg" "image/svg+xml" => "icon.svg"
    "/dashboard/main.js" SCRIPT => "main.js"
    "/dashboard/api.js" SCRIPT => "api.js"
    "/dashboard/dom.js" SCRIPT => "dom.js"
    "/dashboard/plot.js" SCRIPT => "plot.js"
    "/dashboard/plots.js" SCRIPT => "plots.js"
    "/dashboard/overview.js" SCRIPT => "overview.js"
    "/dashboard/listing.js" SCRIPT => "listing.js"
    "/dashboard/rules.js" SCRIPT => "rules.js"
    "/dashboard/routes.js" SCRIPT => "routes.js"
    "/dashboard/recent.js" SCRIPT => "recent.js"
    "/dashboard/lockouts.js" SCRIPT => "lockouts.js"
    "/dashboard/factors.js" SCRIPT => "factors.js"
    "/dashboard/configuration.js" SCRIPT => "configuration.js"
};

/// The file that stands at a path.
pub(super) fn file(path: &str) -> Option<Response<Full<Bytes>>> {
    let file = FILES.iter().find(|file| file.path == path)?;
    let mut answer = respond(StatusCode::OK, file.kind, file.text);
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (OPENER, "same-origin"),
        (RESOURCE, "same-origin"),
    ] {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Some(answer)
}
