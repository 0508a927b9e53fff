//! What a start and a reload cost: reading a configuration of many users, or of many rules.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gatelatch::config::{LoadRequest, load};

const ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A bcrypt hash that no other number has.
fn hash(number: usize) -> String {
    let digit = |place: usize| char::from(ALPHABET[(number >> (6 * (place % 5))) & 63]);
    let digits: String = (0..20).map(digit).collect();
    format!("$2b$12${digits}..{digits}{}.", &digits[..10])
}

fn users(count: usize) -> String {
    let mut text = "users:\n".to_owned();
    for number in 0..count {
        let hash = hash(number);
        let _ = write!(
            text,
            "  user{number:06}@example.com:\n    password: {hash}\n    roles: [recruiter, viewer]\n    \
             name: User Number {number}\n    email: user{number:06}@example.com\n"
        );
    }
    text
}

fn gateway(rules: usize) -> String {
    let mut text = "services:\n  app:\n    upstream: http://127.0.0.1:9000\n    rules:\n      \
                    - { path: /**, allow: authenticated }\n"
        .to_owned();
    for number in 1..rules {
        let tree = number % 317;
        let _ = writeln!(
            text,
            "      - {{ path: /a{tree}/b{number}/**, allow: {{ roles: [recruiter] }} }}"
        );
    }
    text
}

fn write_files(folder: &Path, users_text: &str, gateway_text: &str) -> LoadRequest {
    std::fs::write(folder.join("users.yaml"), users_text).expect("a users file");
    let path = folder.join("gateway.yaml");
    std::fs::write(&path, gateway_text).expect("a configuration");
    let fallback_secret = b"a fallback secret of more than 32 bytes".to_vec().into();
    LoadRequest {
        path,
        environment: BTreeMap::new(),
        fallback_secret,
        cores: 2,
    }
}

fn loads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("load");
    group.sample_size(10);
    for (name, people, rules) in [
        ("users", 1000, 2),
        ("users", 100_000, 2),
        ("rules", 1000, 1000),
        ("rules", 1000, 100_000),
    ] {
        let folder = tempfile::tempdir().expect("a folder");
        let (users_text, gateway_text) = (users(people), gateway(rules));
        let request = write_files(folder.path(), &users_text, &gateway_text);
        group.throughput(Throughput::Bytes(
            (users_text.len() + gateway_text.len()) as u64,
        ));
        group.bench_function(
            BenchmarkId::new(name, if name == "users" { people } else { rules }),
            |bencher| {
                bencher.iter(|| load(&request).expect("a good configuration"));
            },
        );
    }
    group.finish();
}

criterion_group!(benches, loads);
criterion_main!(benches);
