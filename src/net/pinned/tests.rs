use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::RootCertStore;

use super::*;

/// A certificate for `localhost`, which the key signs for itself, or an authority that nobody trusts for it.
fn certificate(
    is_ca: bool,
    self_signed: bool,
    years: (i32, i32),
    names: &[&str],
) -> CertificateDer<'static> {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    if is_ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }
    params.not_before = date_time_ymd(years.0, 1, 1);
    params.not_after = date_time_ymd(years.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = if self_signed {
        params.self_signed(&key).unwrap()
    } else {
        let issuer = CertificateParams::new(Vec::new()).unwrap();
        let issuer = Issuer::new(issuer, KeyPair::generate().unwrap());
        params.signed_by(&key, &issuer).unwrap()
    };
    made.der().clone()
}

fn verify(
    trusted: &[CertificateDer<'static>],
    shown: &CertificateDer<'static>,
    name: &str,
) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    trusted
        .iter()
        .for_each(|one| roots.add(one.clone()).unwrap());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let paths = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    PinnedVerifier::new(paths, trusted)
        .verify_server_cert(shown, &[], &name, &[], UnixTime::now())
        .map(drop)
        .map_err(|error| error.to_string())
}

const NOW: (i32, i32) = (2020, 4000);

#[test]
fn a_server_may_show_what_is_trusted_byte_for_byte() {
    for (is_ca, self_signed) in [(true, true), (false, true), (true, false), (false, false)] {
        let own = certificate(is_ca, self_signed, NOW, &["localhost", "127.0.0.1"]);
        let other = certificate(is_ca, self_signed, NOW, &["localhost"]);
        let trusted = [other.clone(), own.clone()];
        let case = format!("CA: {is_ca}, self-signed: {self_signed}");
        assert_eq!(verify(&trusted, &own, "localhost"), Ok(()), "{case}");
        assert_eq!(verify(&trusted, &own, "127.0.0.1"), Ok(()), "{case}");
        let refused = verify(&trusted, &own, "other.test").unwrap_err();
        assert!(refused.contains("name"), "{case}: {refused}");
        assert!(verify(&[other], &own, "localhost").is_err(), "{case}");
    }
}

#[test]
fn its_dates_count() {
    for (is_ca, self_signed) in [(true, true), (false, true), (true, false), (false, false)] {
        for (years, why) in [((2000, 2001), "expired"), ((3999, 4000), "not valid yet")] {
            let own = certificate(is_ca, self_signed, years, &["localhost"]);
            let refused = verify(&[own.clone()], &own, "localhost").unwrap_err();
            assert!(refused.contains(why), "{refused}");
        }
    }
}
