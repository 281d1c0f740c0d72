//! Token requests to spoil.

use ehr_sandbox::{RegisteredClient, Sandbox};
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::util::{Answer, Key, NOW, clock, send};

/// A token request that is right until a case spoils it.
pub(crate) struct Attempt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    pub(crate) form: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
    pub(crate) authorization: Option<String>,
    pub(crate) method: &'static str,
    /// The key that signs; the registered one by default.
    pub(crate) signer: Option<Key>,
    /// Changes the signed assertion.
    pub(crate) tamper: fn(String) -> String,
}

pub(crate) struct Bench {
    pub(crate) sandbox: Sandbox,
    pub(crate) key: Key,
}

impl Bench {
    pub(crate) fn new(key: Key, edit_jwk: impl FnOnce(&mut Value)) -> Self {
        let mut jwk = key.jwk("k1");
        edit_jwk(&mut jwk);
        let jwks = json!({"keys": [jwk]}).to_string();
        let app = RegisteredClient::new("app")
            .jwks(jwks)
            .scopes("system/*.rs");
        let secret = RegisteredClient::new("se cret")
            .secret("s%3&=")
            .scopes("system/Patient.rs");
        let builder = Sandbox::builder().client(app).client(secret).clock(clock());
        Self {
            sandbox: builder.in_process().expect("a sandbox"),
            key,
        }
    }

    pub(crate) fn attempt(&self) -> Attempt {
        let alg = if matches!(self.key, Key::Rsa(_)) {
            "RS384"
        } else {
            "ES384"
        };
        Attempt {
            header: json!({"alg": alg, "kid": "k1", "typ": "JWT"}),
            claims: json!({
                "iss": "app", "sub": "app", "aud": self.sandbox.token_url(),
                "exp": NOW + 300, "jti": "j1",
            }),
            form: vec![
                ("grant_type", "client_credentials".into()),
                ("scope", "system/Patient.rs".into()),
                (
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer".into(),
                ),
            ],
            content_type: "application/x-www-form-urlencoded",
            authorization: None,
            method: "POST",
            signer: None,
            tamper: |assertion| assertion,
        }
    }

    pub(crate) fn send(&self, attempt: &Attempt) -> Answer {
        let signer = attempt.signer.as_ref().unwrap_or(&self.key);
        let assertion = (attempt.tamper)(signer.sign(&attempt.header, &attempt.claims));
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(attempt.form.iter().map(|(name, value)| (name, value)));
        if attempt
            .form
            .iter()
            .any(|(name, _)| *name == "client_assertion_type")
        {
            form.append_pair("client_assertion", &assertion);
        }
        let mut headers = vec![("content-type", attempt.content_type)];
        headers.extend(
            attempt
                .authorization
                .as_deref()
                .map(|value| ("authorization", value)),
        );
        let url = self.sandbox.token_url();
        send(
            &self.sandbox,
            attempt.method,
            &url,
            &headers,
            &form.finish(),
        )
    }
}

pub(crate) fn set(attempt: &mut Attempt, name: &'static str, value: Option<&str>) {
    attempt.form.retain(|(own, _)| *own != name);
    attempt
        .form
        .extend(value.map(|value| (name, value.to_owned())));
}
