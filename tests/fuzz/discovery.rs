//! The metadata of a provider: whatever they say, they are those of the issuer that was asked for, and lead from a public
//! issuer neither into the clear nor into a network.

use gatelatch::jwks::IssuerMetadata;
use gatelatch::net::HttpUrl;
use gatelatch::oidc::ProviderMetadata;

pub(crate) fn run(data: &[u8]) {
    const ISSUER: &str = "https://idp.example.com";
    let url = HttpUrl::parse(ISSUER).unwrap();
    let Ok(metadata) = IssuerMetadata::parse(ISSUER, &url, data) else {
        return;
    };
    assert_eq!(metadata.members()["issuer"], ISSUER);
    let Ok(provider) = ProviderMetadata::read(&metadata) else {
        return;
    };
    let endpoints = provider.endpoints;
    let all = [
        Some(&endpoints.authorization),
        Some(&endpoints.token),
        Some(&endpoints.jwks),
        endpoints.userinfo.as_ref(),
        endpoints.end_session.as_ref(),
    ];
    for endpoint in all.into_iter().flatten() {
        assert!(!endpoint.is_exposed() && !endpoint.is_internal(), "{endpoint}");
        assert!(endpoint.to_string().starts_with("https://"), "{endpoint}");
    }
}
