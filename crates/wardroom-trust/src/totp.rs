//! Codes that follow the time: TOTP (RFC 6238) with SHA-1, six digits and steps of 30 seconds, which is what
//! every authenticator app knows.

use aws_lc_rs::hmac;
use data_encoding::BASE32_NOPAD;
use subtle::ConstantTimeEq;
use wardroom_core::{Rng, Timestamp};
use zeroize::Zeroizing;

const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
/// RFC 4226 §4 recommends 160 bits.
const SECRET_BYTES: usize = 20;

/// A shared secret.
pub struct Totp(Zeroizing<Vec<u8>>);

impl std::fmt::Debug for Totp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Totp")
    }
}

impl Totp {
    /// A new one.
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut secret = Zeroizing::new(vec![0; SECRET_BYTES]);
        rng.fill(&mut secret);
        Self(secret)
    }

    /// Reads one from base32.
    pub fn parse(text: &str) -> Option<Self> {
        let secret = BASE32_NOPAD.decode(text.as_bytes()).ok()?;
        (secret.len() == SECRET_BYTES).then(|| Self(Zeroizing::new(secret)))
    }

    /// The secret in base32, as people type it into an app.
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// What an app reads from the picture (the de-facto `otpauth` key URI).
    pub fn uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (escaped(issuer), escaped(account));
        format!(
            "otpauth://totp/{issuer}:{account}?secret={}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}",
            self.text()
        )
    }

    /// The code at a time.
    pub fn code(&self, at: Timestamp) -> String {
        self.code_of(at.as_seconds().div_euclid(STEP_SECONDS))
    }

    /// The time step of which `typed` is the code, if it is this one, the one before or the one after, and
    /// above `used`: no code counts twice (RFC 6238 §5.2).
    pub fn verify(&self, typed: &str, now: Timestamp, used: i64) -> Option<i64> {
        let typed: String = typed.chars().filter(|c| !c.is_whitespace()).collect();
        let current = now.as_seconds().div_euclid(STEP_SECONDS);
        let mut found = None;
        for step in current - 1..=current + 1 {
            let right = bool::from(self.code_of(step).as_bytes().ct_eq(typed.as_bytes()));
            if right && step > used {
                found = Some(step);
            }
        }
        found
    }

    fn code_of(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        // Dynamic truncation, RFC 4226 §5.3.
        let at = usize::from(tag.last().copied().unwrap_or(0) & 0x0f);
        let word = tag.iter().skip(at).take(4).fold(0_u32, |sum, b| (sum << 8) | u32::from(*b));
        format!("{:0DIGITS$}", (word & 0x7fff_ffff) % 1_000_000)
    }
}

fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn codes_are_those_of_rfc_6238_appendix_b() {
        let totp = Totp(Zeroizing::new(b"12345678901234567890".to_vec()));
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(totp.code(at(seconds)), code);
        }
        assert_eq!(Totp::parse(&totp.text()).unwrap().code(at(59)), "287082");
        assert!(Totp::parse("AAAA").is_none());
        assert_eq!(
            totp.uri("Ward room", "ada"),
            "otpauth://totp/Ward%20room:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Ward%20room&algorithm=SHA1&digits=6&period=30"
        );
    }

    #[test]
    fn a_code_counts_once_and_only_around_its_time() {
        let totp = Totp::generate(&crate::ambient::SystemRng);
        let code = totp.code(at(3000));
        assert_eq!(totp.verify(&code, at(3000), 0), Some(100));
        assert_eq!(totp.verify(&format!("{} {}", &code[..3], &code[3..]), at(3029), 99), Some(100));
        assert_eq!(totp.verify(&code, at(3030), 0), Some(100), "one step late");
        assert_eq!(totp.verify(&code, at(2999), 0), Some(100), "one step early");
        assert_eq!(totp.verify(&code, at(3000), 100), None, "used");
        assert_eq!(totp.verify(&code, at(3060), 0), None, "two steps late");
        assert_eq!(totp.verify("", at(3000), 0), None);
    }
}
