//! Trust: passwords, tokens, policy, the key ring, sealing, checkpoint signatures, certificates.
//!
//! This crate must never know HTTP or SQL: doors bring it texts and keys, stores keep what it gives.

pub mod access_token;
pub mod ambient;
pub mod authority;
pub mod checkpoint;
pub mod jwt;
pub mod keyring;
pub mod node_token;
pub mod oidc;
pub mod password;
pub mod password_rules;
pub mod policy;
pub mod seal;
pub mod secret;
pub mod tls;
pub mod token_key;
pub mod totp;
pub mod vault;
pub mod webauthn;
pub mod webhook;
