#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
use super::*;
use crate::ambient::SystemRng;
use data_encoding::BASE64URL_NOPAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::time::Duration;
use wardroom_core::{Timestamp, digest::sha256};

const ISSUER: &str = "https://id.example.org";
const NOW: i64 = 1_800_000_000;

struct Issuer {
    pair: rcgen::KeyPair,
    kid: &'static str,
}

impl Issuer {
    fn new(kid: &'static str) -> Self {
        Self { pair: rcgen::KeyPair::generate().unwrap(), kid }
    }

    fn jwk(&self) -> Value {
        let point = self.pair.public_key_raw();
        let coordinate = |range: std::ops::Range<usize>| BASE64URL_NOPAD.encode(&point[range]);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid, "use": "sig", "alg": "ES256",
            "x": coordinate(1..33), "y": coordinate(33..65)})
    }

    fn keys(&self) -> KeySet {
        // A key of a kind that nobody knows stands beside it.
        let document = json!({"keys": [{"kty": "XYZ", "kid": "odd"}, self.jwk()]});
        KeySet::parse(document.to_string().as_bytes()).unwrap()
    }

    fn sign(&self, header: Header, claims: &Value) -> String {
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        encode(&Header { kid: Some(self.kid.to_owned()), ..header }, claims, &key).unwrap()
    }
}

fn now() -> Timestamp {
    Timestamp::from_micros(NOW * 1_000_000)
}

fn verifier() -> Verifier {
    Verifier {
        issuer: ISSUER.to_owned(),
        client_id: "wardroom".to_owned(),
        session_audience: None,
        session_parties: vec!["https://app.example.org".to_owned()],
    }
}

fn half(token: &str) -> String {
    BASE64URL_NOPAD.encode(&sha256(&[token.as_bytes()])[..16])
}

fn id_claims() -> Value {
    json!({"iss": ISSUER, "sub": "ann", "aud": "wardroom", "exp": NOW + 300, "iat": NOW, "nonce": "n",
        "at_hash": half("access"), "sid": "s1", "auth_time": NOW - 30, "amr": ["pwd", "mfa"], "groups": ["ops"]})
}

/// The same with something changed; null takes it away.
fn with(mut claims: Value, name: &str, value: Value) -> Value {
    let fields = claims.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(name);
    } else {
        fields.insert(name.to_owned(), value);
    }
    claims
}

fn es256() -> Header {
    Header::new(Algorithm::ES256)
}

#[test]
fn an_id_token_is_believed_only_as_it_should_be() {
    let issuer = Issuer::new("k1");
    let keys = issuer.keys();
    let open = |token: &str| verifier().id_token(&keys, token, "n", "access", now());
    let good = open(&issuer.sign(es256(), &id_claims())).unwrap();
    assert_eq!((good.sub.as_str(), good.sid.as_deref()), ("ann", Some("s1")));
    assert_eq!(good.more["groups"], json!(["ops"]));
    assert!(good.is_multi_factor() && good.is_fresh(now(), 0));
    assert!(!good.is_fresh(now().plus(Duration::from_secs(300)), 60));
    let no_hash = with(id_claims(), "at_hash", Value::Null);
    assert!(open(&issuer.sign(es256(), &no_hash)).is_ok(), "it may be left out");
    for (name, value) in [
        ("iss", json!("https://other.example.org")),
        ("iss", Value::Null),
        ("aud", json!("somebody")),
        ("aud", Value::Null),
        ("aud", json!(["wardroom", "other"])),
        ("azp", json!("other")),
        ("sub", json!("")),
        ("exp", json!(NOW - 61)),
        ("iat", json!(NOW + 61)),
        ("nonce", json!("m")),
        ("nonce", Value::Null),
        ("at_hash", json!(half("other"))),
        ("events", json!({})),
    ] {
        let token = issuer.sign(es256(), &with(id_claims(), name, value.clone()));
        assert!(open(&token).is_err(), "{name} = {value}");
    }
    let logout = Header { typ: Some("logout+jwt".to_owned()), ..es256() };
    assert!(open(&issuer.sign(logout, &id_claims())).is_err());
    let critical = Header { crit: Some(vec!["b64".to_owned()]), ..es256() };
    assert!(open(&issuer.sign(critical, &id_claims())).is_err());
}

#[test]
fn only_the_issuers_keys_sign_and_only_what_they_are_for() {
    let (issuer, thief) = (Issuer::new("k1"), Issuer::new("k1"));
    let keys = issuer.keys();
    let open = |token: &str| verifier().id_token(&keys, token, "n", "access", now());
    assert!(open(&thief.sign(es256(), &id_claims())).is_err(), "another key of the same name");
    let stranger = Issuer::new("k2").sign(es256(), &id_claims());
    assert_eq!(open(&stranger).unwrap_err(), OidcError::UnknownKey, "the keys are to be fetched");
    // Signed with what everybody knows: the public key, as if it were a secret.
    let public = EncodingKey::from_secret(issuer.jwk()["x"].as_str().unwrap().as_bytes());
    let header = Header { kid: Some("k1".to_owned()), ..Header::new(Algorithm::HS256) };
    assert!(open(&encode(&header, &id_claims(), &public).unwrap()).is_err());
    // Signed by nobody.
    let part = |value: Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let unsigned = format!("{}.{}.", part(json!({"alg": "none", "kid": "k1"})), part(id_claims()));
    assert!(open(&unsigned).is_err());
    for broken in ["", ".", "a.b.c", "…", &"a".repeat(20_000)] {
        assert!(open(broken).is_err());
    }
    // A key that is for encrypting verifies nothing.
    let mut jwk = issuer.jwk();
    jwk["use"] = json!("enc");
    let keys = KeySet::parse(json!({"keys": [jwk]}).to_string().as_bytes()).unwrap();
    let token = issuer.sign(es256(), &id_claims());
    assert!(verifier().id_token(&keys, &token, "n", "access", now()).is_err());
}

#[test]
fn logout_and_session_tokens_are_told_apart() {
    let issuer = Issuer::new("k1");
    let keys = issuer.keys();
    let event = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let logout = json!({"iss": ISSUER, "aud": "wardroom", "iat": NOW, "exp": NOW + 120, "jti": "j", "sid": "s1",
        "events": event});
    let typed = || Header { typ: Some("logout+jwt".to_owned()), ..es256() };
    let open =
        |claims: &Value| verifier().logout_token(&keys, &issuer.sign(typed(), claims), now());
    assert_eq!(open(&logout).unwrap().sid.as_deref(), Some("s1"));
    for (name, value) in [
        ("events", Value::Null),
        ("events", json!({"other": {}})),
        ("nonce", json!("n")),
        ("sid", Value::Null),
        ("iat", json!(NOW - 601)),
        ("aud", json!("other")),
    ] {
        assert!(open(&with(logout.clone(), name, value.clone())).is_err(), "{name} = {value}");
    }
    assert!(open(&id_claims()).is_err(), "an ID token ends nothing");

    let session = json!({"iss": ISSUER, "sub": "ann", "exp": NOW + 60, "nbf": NOW, "iat": NOW,
        "azp": "https://app.example.org"});
    let open = |verifier: Verifier, claims: &Value| {
        verifier.session_token(&keys, &issuer.sign(es256(), claims), now())
    };
    assert_eq!(open(verifier(), &session).unwrap().ends_at().as_seconds(), NOW + 60);
    for (name, value) in [
        ("azp", json!("https://evil.example.org")),
        ("azp", Value::Null),
        ("exp", json!(NOW - 61)),
        ("nbf", json!(NOW + 61)),
        ("nonce", json!("n")),
        ("iss", json!("https://other.example.org")),
    ] {
        let claims = with(session.clone(), name, value.clone());
        assert!(open(verifier(), &claims).is_err(), "{name} = {value}");
    }
    let open_to_all = Verifier { session_parties: vec![], ..verifier() };
    assert!(open(open_to_all, &session).is_err(), "bound to nothing");
}

#[test]
fn an_answer_counts_for_its_own_sign_in_and_not_for_long() {
    let metadata: Metadata = serde_json::from_value(json!({"issuer": ISSUER, "authorization_endpoint": "a",
        "token_endpoint": "t", "jwks_uri": "j", "authorization_response_iss_parameter_supported": true}))
    .unwrap();
    let attempt = Attempt::new("/runs", true, now(), &SystemRng);
    let asked: std::collections::BTreeMap<_, _> =
        attempt.question("wardroom", "https://w/cb", "openid").into_iter().collect();
    assert_eq!((asked["prompt"].as_str(), asked["max_age"].as_str()), ("login", "0"));
    let challenge = BASE64URL_NOPAD.encode(&sha256(&[attempt.verifier.as_bytes()]));
    assert_eq!(asked["code_challenge"], challenge);
    let (state, issuer) = (asked["state"].as_str(), Some(ISSUER));
    assert!(attempt.check(&metadata, state, issuer, now()).is_ok());
    let late = now().plus(Duration::from_secs(601));
    for (state, issuer, at) in [
        ("", issuer, now()),
        ("other", issuer, now()),
        (state, None, now()),
        (state, Some("https://other.example.org"), now()),
        (state, issuer, late),
    ] {
        assert!(attempt.check(&metadata, state, issuer, at).is_err(), "{state:?} {issuer:?}");
    }
}
