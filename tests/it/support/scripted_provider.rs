//! An OpenID provider that does what a test says: also what no good one does.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatelatch::oidc::code_challenge;
use gatelatch::token::{Algorithm, Key, KeySet, TextSigner};
use serde_json::{Map, Value, json};

use super::upstream::{Received, Upstream};

/// A provider on loopback that runs until the process ends. It signs everybody in at once, without asking.
pub struct ScriptedProvider {
    server: Upstream,
    script: Arc<Mutex<Script>>,
    held: Arc<HeldPath>,
    /// Its name and URL.
    pub issuer: String,
}

/// The path whose answers wait, and what they wait for.
type HeldPath = (Mutex<Option<String>>, Condvar);

/// Answers of a provider wait for as long as this lives.
pub struct Held(Arc<HeldPath>);

impl Drop for Held {
    fn drop(&mut self) {
        let (path, released) = &*self.0;
        *path.lock().unwrap() = None;
        released.notify_all();
    }
}

/// What it does. Members of the maps are replaced in what it would send; `null` takes one away.
pub struct Script {
    /// In its metadata.
    pub metadata: Value,
    /// In the claims of ID tokens.
    pub claims: Value,
    /// In the header of ID tokens.
    pub header: Value,
    /// In the claims of the userinfo.
    pub userinfo: Value,
    /// In the answers of the token endpoint.
    pub tokens: Value,
    /// In the query that the browser brings back.
    pub callback: Value,
    /// Whether the userinfo is a signed token.
    pub signs_userinfo: bool,
    /// What makes the signatures.
    pub signer: ScriptedSigner,
    /// The keys that are published.
    pub published: Vec<Key>,
    /// Whole answers by path, in place of its own.
    pub answers: HashMap<String, Vec<u8>>,
    issuer: String,
    codes: HashMap<String, Issued>,
    issued: usize,
}

/// What makes the signatures of tokens.
pub enum ScriptedSigner {
    /// This key.
    Key(Key),
    /// Nothing: `alg` is `none`.
    Nobody,
}

/// What a code was given out for.
#[derive(Clone)]
struct Issued {
    client: String,
    nonce: Option<String>,
    challenge: String,
    redirect_uri: String,
}

/// A key of the tests, under this name.
pub fn provider_key(algorithm: Algorithm, file: &str, kid: &str) -> Key {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/keys")
        .join(file);
    Key::from_pem(
        algorithm,
        &std::fs::read_to_string(path).unwrap(),
        Some(kid),
    )
    .unwrap()
}

/// An answer with a status and a body of JSON.
pub fn json_answer(status: u16, body: &Value) -> Vec<u8> {
    answer(
        status,
        "Content-Type: application/json\r\n",
        &body.to_string(),
    )
}

fn answer(status: u16, fields: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status} Said\r\n{fields}Content-Length: {length}\r\n\r\n{body}").into_bytes()
}

impl ScriptedProvider {
    /// A good one, with one key for RS256.
    pub fn start() -> Self {
        let key = provider_key(Algorithm::Rs256, "rsa.pem", "first");
        let script = Script {
            metadata: json!({}),
            claims: json!({}),
            header: json!({}),
            userinfo: json!({}),
            tokens: json!({}),
            callback: json!({}),
            signs_userinfo: false,
            signer: ScriptedSigner::Key(key.clone()),
            published: vec![key],
            answers: HashMap::new(),
            issuer: String::new(),
            codes: HashMap::new(),
            issued: 0,
        };
        let script = Arc::new(Mutex::new(script));
        let shared = Arc::clone(&script);
        let held: Arc<HeldPath> = Arc::default();
        let gate = Arc::clone(&held);
        let server = Upstream::new(move |request| {
            let (path, released) = &*gate;
            let is_held = |path: &mut Option<String>| path.as_deref() == Some(path_of(request).0);
            drop(released.wait_while(path.lock().unwrap(), is_held).unwrap());
            shared.lock().unwrap().answer(request)
        });
        let issuer = format!("http://{}", server.address);
        script.lock().unwrap().issuer.clone_from(&issuer);
        Self {
            server,
            script,
            held,
            issuer,
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// What it does from now on.
    pub fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap()
    }

    /// Takes its time over requests for a path, until what this gives is dropped.
    pub fn hold(&self, path: &str) -> Held {
        *self.held.0.lock().unwrap() = Some(path.to_owned());
        Held(Arc::clone(&self.held))
    }

    /// Signs with this key from now on, and publishes it alone.
    pub fn rotate(&self, key: Key) {
        let mut script = self.script();
        script.published = vec![key.clone()];
        script.signer = ScriptedSigner::Key(key);
    }

    /// What was sent to a path.
    pub fn received(&self, path: &str) -> Vec<Received> {
        let received = self.server.received().into_iter();
        received
            .filter(|request| path_of(request).0 == path)
            .collect()
    }

    /// A token with these claims beside those of every logout token.
    pub fn logout_token(&self, client: &str, changes: &Value) -> String {
        let script = self.script();
        let mut claims = json!({
            "iss": script.issuer, "aud": client, "iat": now(), "exp": now() + 120, "jti": "logout-1",
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        merge(&mut claims, changes);
        script.sign(&json!({ "typ": "logout+jwt" }), &claims)
    }
}

impl Script {
    fn answer(&mut self, request: &Received) -> Vec<u8> {
        let (path, query) = path_of(request);
        if let Some(answer) = self.answers.get(path) {
            return answer.clone();
        }
        match path {
            "/.well-known/openid-configuration" => json_answer(200, &self.metadata()),
            "/keys" => {
                let keys = self.published.iter().map(|key| key.verifying().clone());
                json_answer(200, &KeySet::new(keys.collect()).to_jwks())
            }
            "/authorize" => self.authorize(&fields(query)),
            "/token" => self.token(request),
            "/userinfo" => self.userinfo(request),
            "/logout" => {
                let fields = fields(query);
                let to = &fields["post_logout_redirect_uri"];
                let location = format!("Location: {to}?state={}\r\n", fields["state"]);
                answer(303, &location, "")
            }
            _ => answer(404, "", ""),
        }
    }

    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        let mut metadata = json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/keys"),
            "end_session_endpoint": at("/logout"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "HS256"],
            "authorization_response_iss_parameter_supported": true,
        });
        merge(&mut metadata, &self.metadata);
        metadata
    }

    fn authorize(&mut self, fields: &HashMap<String, String>) -> Vec<u8> {
        self.issued += 1;
        let code = format!("code {}", self.issued);
        let issued = Issued {
            client: fields["client_id"].clone(),
            nonce: fields.get("nonce").cloned(),
            challenge: fields["code_challenge"].clone(),
            redirect_uri: fields["redirect_uri"].clone(),
        };
        self.codes.insert(code.clone(), issued);
        let mut callback = json!({ "code": code, "state": fields["state"], "iss": self.issuer });
        merge(&mut callback, &self.callback);
        let pairs = callback.as_object().unwrap().iter();
        let pairs = pairs.map(|(name, value)| (name, value.as_str().unwrap()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let location = format!("Location: {}?{query}\r\n", fields["redirect_uri"]);
        answer(303, &location, "")
    }

    fn token(&mut self, request: &Received) -> Vec<u8> {
        let fields = fields(&request.body);
        let refused = || json_answer(400, &json!({ "error": "invalid_grant" }));
        let (client, nonce) = if fields["grant_type"] == "refresh_token" {
            (client_of(request, &fields), None)
        } else {
            let Some(issued) = self.codes.remove(&fields["code"]) else {
                return refused();
            };
            let same = issued.redirect_uri == fields["redirect_uri"]
                && issued.challenge == code_challenge(&fields["code_verifier"])
                && issued.client == client_of(request, &fields);
            if !same {
                return refused();
            }
            (issued.client, issued.nonce)
        };
        let access_token = format!("access {}", self.issued);
        let mut claims = json!({
            "iss": self.issuer, "aud": client, "sub": "walter-1", "iat": now(), "exp": now() + 300,
            "auth_time": 1_700_000_000, "at_hash": self.half_hash(&access_token),
            "sid": "session-1", "amr": ["pwd"], "acr": "1", "name": "Walter",
            "email": "walter@example.com", "email_verified": true, "groups": ["staff"],
        });
        if let Some(nonce) = nonce {
            claims["nonce"] = nonce.into();
        }
        merge(&mut claims, &self.claims);
        let mut tokens = json!({
            "access_token": access_token, "token_type": "Bearer", "expires_in": 300,
            "refresh_token": format!("refresh {}", self.issued),
            "id_token": self.sign(&self.header, &claims),
        });
        merge(&mut tokens, &self.tokens);
        json_answer(200, &tokens)
    }

    fn userinfo(&self, request: &Received) -> Vec<u8> {
        if !request.fields("authorization")[0].starts_with("Bearer access ") {
            return answer(401, "WWW-Authenticate: Bearer\r\n", "");
        }
        let mut claims = json!({ "sub": "walter-1" });
        merge(&mut claims, &self.userinfo);
        if self.signs_userinfo {
            let token = self.sign(&json!({}), &claims);
            return answer(200, "Content-Type: application/jwt\r\n", &token);
        }
        json_answer(200, &claims)
    }

    /// OpenID Connect Core 1.0, section 3.1.3.6.
    fn half_hash(&self, text: &str) -> String {
        use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
        let bits = match &self.signer {
            ScriptedSigner::Key(key) => key.algorithm().name()[2..].to_owned(),
            ScriptedSigner::Nobody => "256".to_owned(),
        };
        let function = match &*bits {
            "256" => &SHA256,
            "384" => &SHA384,
            _ => &SHA512,
        };
        let hash = digest(function, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2])
    }

    /// A token with these members in its header.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let mut whole = match &self.signer {
            ScriptedSigner::Key(key) => json!({ "alg": key.algorithm().name(), "kid": key.id() }),
            ScriptedSigner::Nobody => json!({ "alg": "none" }),
        };
        merge(&mut whole, header);
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&whole), encode(claims));
        let signature = match &self.signer {
            ScriptedSigner::Key(key) => {
                let keys = KeySet::new(vec![key.verifying().clone()]);
                TextSigner::new(key.clone(), keys).sign(&signed).unwrap()
            }
            ScriptedSigner::Nobody => String::new(),
        };
        format!("{signed}.{signature}")
    }
}

fn path_of(request: &Received) -> (&str, &str) {
    let target = request.line().split(' ').nth(1).unwrap_or_default();
    target.split_once('?').unwrap_or((target, ""))
}

fn fields(text: &str) -> HashMap<String, String> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

/// By whatever means it names itself.
fn client_of(request: &Received, fields: &HashMap<String, String>) -> String {
    if let Some(client) = fields.get("client_id") {
        return client.clone();
    }
    let authorization = request.fields("authorization");
    let pair = authorization[0].strip_prefix("Basic ").unwrap();
    let pair = String::from_utf8(STANDARD.decode(pair).unwrap()).unwrap();
    let (client, _) = pair.split_once(':').unwrap();
    url::form_urlencoded::parse(client.as_bytes())
        .map(|(name, _)| name.into_owned())
        .next()
        .unwrap()
}

/// Replaces the members that `changes` has; `null` takes one away.
fn merge(value: &mut Value, changes: &Value) {
    let members: &mut Map<String, Value> = value.as_object_mut().unwrap();
    for (name, change) in changes.as_object().unwrap() {
        if change.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), change.clone());
        }
    }
}

fn now() -> u64 {
    gatelatch::ambient::unix_seconds()
}
