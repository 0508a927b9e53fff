//! An OpenAPI document, in JSON or YAML: what is made of it loads as a configuration, and lets nobody in without signing in
//! where the document says nothing of security.

use gatelatch::analysis::openapi::{OpenApiDocument, SkeletonSettings, skeleton};

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let root = if text.trim_start().starts_with('{') {
        serde_json::from_str::<serde_json::Value>(text).ok()
    } else {
        serde_yaml::from_str::<serde_json::Value>(text).ok()
    };
    let Some(document) = root.and_then(|root| OpenApiDocument::read(&root).ok()) else {
        return;
    };
    let settings = SkeletonSettings {
        source: "openapi.json",
        service: Some("service"),
        upstream: "http://127.0.0.1:9000",
        document: None,
        secret: false,
        prefix: None,
    };
    let text = skeleton(&document, &settings);
    let folder = crate::files::Folder::new();
    if let Err(problems) = folder.load(&text, "users: {}") {
        let errors: Vec<_> = problems.as_slice().iter().map(|one| one.message.clone()).collect();
        panic!("{errors:?}\n{text}");
    }
}
