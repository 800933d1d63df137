#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use crate::ambient::SystemRng;
use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::time::Duration;
use wardroom_core::{Timestamp, digest::sha256};

const ORIGIN: &str = "https://localhost:4000";
const USER: &[u8] = &[9; 16];

fn party() -> RelyingParty {
    RelyingParty { id: "localhost".into(), name: "Wardroom".into(), origins: vec![ORIGIN.into()] }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn b64(bytes: &[u8]) -> String {
    BASE64URL_NOPAD.encode(bytes)
}

/// An authenticator without hardware.
struct Soft {
    pair: EcdsaKeyPair,
    counter: u32,
    flags: u8,
    origin: &'static str,
    site: &'static str,
    framed: bool,
}

impl Soft {
    fn new() -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { pair, counter: 0, flags: 0x05, origin: ORIGIN, site: "localhost", framed: false }
    }

    fn client_data(&self, kind: &str, options: &Value) -> Vec<u8> {
        json!({"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": self.framed})
            .to_string()
            .into_bytes()
    }

    fn data(&self, flags: u8) -> Vec<u8> {
        let mut data = sha256(&[self.site.as_bytes()]).to_vec();
        data.push(flags);
        data.extend(self.counter.to_be_bytes());
        data
    }

    fn attestation(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let mut data = self.data(self.flags | 0x40);
        data.extend([0; 16]);
        data.extend([0, 4, 7, 7, 7, 7]);
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 0x20]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 0x20]);
        data.extend(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).unwrap());
        object.extend(data);
        object
    }

    fn create_with(&self, options: &Value, attestation: &[u8]) -> Answer {
        let client = self.client_data("webauthn.create", options);
        serde_json::from_value(json!({
            "rawId": b64(&[7; 4]), "type": "public-key",
            "response": {
                "clientDataJSON": b64(&client), "attestationObject": b64(attestation),
                "transports": ["internal", "UPPER"],
            },
        }))
        .unwrap()
    }

    fn create(&self, options: &Value) -> Answer {
        self.create_with(options, &self.attestation())
    }

    fn get_as(&mut self, options: &Value, user: Option<&[u8]>) -> Answer {
        let (client, data) = (self.client_data("webauthn.get", options), self.data(self.flags));
        let message = [&data[..], &sha256(&[&client])].concat();
        let signature = self.pair.sign(&SystemRandom::new(), &message).unwrap();
        serde_json::from_value(json!({
            "rawId": b64(&[7; 4]), "type": "public-key",
            "response": {
                "clientDataJSON": b64(&client), "authenticatorData": b64(&data),
                "signature": b64(signature.as_ref()), "userHandle": user.map(b64),
            },
        }))
        .unwrap()
    }
}

fn registered(soft: &Soft) -> Passkey {
    let (options, state) = party().begin_registration(USER, "ada", &[], at(0), &SystemRng);
    party().finish_registration(&state, &soft.create(&options), at(1)).unwrap().0
}

#[test]
fn a_passkey_is_made_and_shown_with_and_without_a_name() {
    let mut soft = Soft::new();
    let passkey = registered(&soft);
    let kept: Passkey = serde_json::from_str(&serde_json::to_string(&passkey).unwrap()).unwrap();
    assert_eq!(kept, passkey);
    for user in [Some((USER, std::slice::from_ref(&kept))), None] {
        let (options, state) = party().begin_authentication(user, at(0), &SystemRng);
        soft.counter += 1;
        let answer = soft.get_as(&options, Some(USER));
        let shown =
            party().finish_authentication(&state, &answer, (&kept, soft.counter - 1), at(1));
        assert_eq!(shown, Ok(Shown { counter: soft.counter }));
        let again = party().finish_authentication(&state, &answer, (&kept, soft.counter), at(1));
        assert_eq!(again, Err(WebauthnError::Counter), "a copy does not count on");
    }
}

#[test]
fn what_was_made_for_somebody_or_something_else_is_refused() {
    let mut soft = Soft::new();
    let passkey = registered(&soft);
    let shown = |soft: &mut Soft, user: Option<&[u8]>, late: i64| {
        let (options, state) = party().begin_authentication(None, at(0), &SystemRng);
        let answer = soft.get_as(&options, user);
        party().finish_authentication(&state, &answer, (&passkey, 0), at(late))
    };
    assert_eq!(shown(&mut soft, Some(USER), 1), Ok(Shown { counter: 0 }));
    assert_eq!(shown(&mut soft, None, 1), Err(WebauthnError::Unknown), "nobody is named");
    assert_eq!(shown(&mut soft, Some(&[8; 16]), 1), Err(WebauthnError::Unknown));
    assert_eq!(shown(&mut soft, Some(USER), 301), Err(WebauthnError::Challenge), "too late");
    soft.origin = "https://localhost:4001";
    assert_eq!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::Site));
    soft.origin = ORIGIN;
    soft.framed = true;
    assert_eq!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::Site));
    soft.framed = false;
    soft.site = "example.org";
    assert_eq!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::Site));
    soft.site = "localhost";
    soft.flags = 0x01;
    assert_eq!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::UserNotVerified));
    soft.flags = 0x0d;
    assert!(matches!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::Form(_))));
    soft.flags = 0x05;
    soft.pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    assert_eq!(shown(&mut soft, Some(USER), 1), Err(WebauthnError::Signature));
    // An answer to one question is none to another.
    let (_, other) = party().begin_authentication(None, at(0), &SystemRng);
    let (options, _) = party().begin_authentication(None, at(0), &SystemRng);
    let answer = soft.get_as(&options, Some(USER));
    let crossed = party().finish_authentication(&other, &answer, (&passkey, 0), at(1));
    assert_eq!(crossed, Err(WebauthnError::Challenge));
}

#[test]
fn no_cut_and_no_changed_byte_of_an_attestation_breaks_the_reader() {
    let soft = Soft::new();
    let whole = soft.attestation();
    let (options, state) = party().begin_registration(USER, "ada", &[], at(0), &SystemRng);
    let finish = |bytes: &[u8]| {
        party().finish_registration(&state, &soft.create_with(&options, bytes), at(1))
    };
    assert!(finish(&whole).is_ok());
    for end in 0..whole.len() {
        assert!(finish(&whole[..end]).is_err(), "cut at {end}");
    }
    for place in 0..whole.len() {
        for value in [0, 0x1f, 0x5f, 0x7f, 0x9f, 0xbf, 0xff] {
            let mut altered = whole.clone();
            altered[place] = value;
            let _ = finish(&altered);
        }
    }
    let deep = [&b"\xa1\x61x"[..], &[0x81; 64], &[0]].concat();
    assert!(finish(&deep).is_err());
    assert!(at(0).plus(Duration::from_secs(1)) == at(1));
}
