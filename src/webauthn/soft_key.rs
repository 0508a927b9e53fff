//! An authenticator in software, and the browser around it, which a test may have say anything.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub(super) const UP: u8 = 0x01;
pub(super) const UV: u8 = 0x04;
pub(super) const BE: u8 = 0x08;
pub(super) const BS: u8 = 0x10;
const AT: u8 = 0x40;

/// A key, and what it says about its user.
pub(super) struct SoftKey {
    pair: EcdsaKeyPair,
    pub(super) id: Vec<u8>,
    pub(super) handle: Option<Vec<u8>>,
    pub(super) flags: u8,
    /// What the next signature says.
    pub(super) counter: u32,
    pub(super) rp_id: String,
    /// Members of the client data that differ from those of an honest browser; `null` takes one away.
    pub(super) client_data: Value,
}

impl SoftKey {
    pub(super) fn new(id: u8) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self {
            pair,
            id: vec![id; 16],
            handle: None,
            flags: UP | UV,
            counter: 0,
            rp_id: "example.com".to_owned(),
            client_data: json!({}),
        }
    }

    /// `navigator.credentials.create()`.
    pub(super) fn create(&mut self, options: &Value) -> Vec<u8> {
        let asked = &options["publicKey"];
        self.handle = Some(
            URL_SAFE_NO_PAD
                .decode(asked["user"]["id"].as_str().unwrap())
                .unwrap(),
        );
        let client_data = self.say("webauthn.create", &asked["challenge"]);
        let mut object = vec![0xa3];
        object.extend(b"\x63fmt\x64none\x67attStmt\xa0\x68authData\x59");
        let data = self.authenticator_data(true);
        object.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        object.extend(data);
        let response =
            json!({ "attestationObject": encode(&object), "clientDataJSON": encode(&client_data) });
        self.answer(&response)
    }

    /// `navigator.credentials.get()`.
    pub(super) fn get(&self, options: &Value) -> Vec<u8> {
        let client_data = self.say("webauthn.get", &options["publicKey"]["challenge"]);
        let mut signed = self.authenticator_data(false);
        let data = encode(&signed);
        signed.extend(Sha256::digest(&client_data));
        let signature = self.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let response = json!({
            "authenticatorData": data,
            "clientDataJSON": encode(&client_data),
            "signature": encode(signature.as_ref()),
            "userHandle": self.handle.as_deref().map(encode),
        });
        self.answer(&response)
    }

    fn answer(&self, response: &Value) -> Vec<u8> {
        let id = encode(&self.id);
        let answer = json!({ "id": id, "rawId": id, "type": "public-key", "response": response, "clientExtensionResults": {} });
        answer.to_string().into()
    }

    fn say(&self, operation: &str, challenge: &Value) -> Vec<u8> {
        let mut data = json!({
            "type": operation, "challenge": challenge, "origin": "https://login.example.com", "crossOrigin": false,
        });
        for (name, value) in self.client_data.as_object().unwrap() {
            data[name] = value.clone();
        }
        data.to_string().into()
    }

    /// WebAuthn, section 6.1.
    fn authenticator_data(&self, is_new: bool) -> Vec<u8> {
        let mut data = Sha256::digest(&self.rp_id).to_vec();
        data.push(self.flags | if is_new { AT } else { 0 });
        data.extend(self.counter.to_be_bytes());
        if is_new {
            data.extend([0; 16]);
            data.extend(u16::try_from(self.id.len()).unwrap().to_be_bytes());
            data.extend(&self.id);
            let point = self.pair.public_key().as_ref();
            // EC2 (1: 2), ES256 (3: -7), P-256 (-1: 1), x and y
            data.extend(b"\xa5\x01\x02\x03\x26\x20\x01\x21\x58\x20");
            data.extend(&point[1..33]);
            data.extend(b"\x22\x58\x20");
            data.extend(&point[33..65]);
        }
        data
    }
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
