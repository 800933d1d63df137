//! E-mail over SMTP.

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::authentication::Credentials,
};
use secrecy::{ExposeSecret as _, SecretString};
use std::time::Duration;
use wardroom_core::watch::message::Message;
use wardroom_engine::watch::Letter;

const TIMEOUT: Duration = Duration::from_secs(20);

/// How e-mail is sent.
#[derive(Clone)]
pub struct MailRules {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Who is told of alerts.
    pub alerts_to: Vec<String>,
}

impl MailRules {
    /// `url` is `smtps://HOST` or `smtp://HOST` (with STARTTLS, which must succeed), with a name before the host
    /// where the server wants one; plain SMTP only to loopback, `smtp://127.0.0.1:PORT?tls=none`.
    pub fn new(
        url: &str,
        password: Option<SecretString>,
        from: &str,
        alerts_to: Vec<String>,
    ) -> Result<Self, String> {
        let parsed = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
        let host = parsed.host_str().ok_or("there is no host in it")?.to_owned();
        if parsed.password().is_some() {
            return Err("a password stands in a file that smtp_password_file names".to_owned());
        }
        let loopback = host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let builder = match (parsed.scheme(), parsed.query()) {
            ("smtps", None) => AsyncSmtpTransport::<Tokio1Executor>::relay(&host),
            ("smtp", None) => AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(&host),
            ("smtp", Some("tls=none")) if loopback => {
                Ok(AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&host))
            }
            ("smtp", Some("tls=none")) => {
                return Err("without TLS only loopback is spoken to".to_owned());
            }
            _ => return Err("it must be smtps://HOST or smtp://HOST".to_owned()),
        };
        let mut builder = builder.map_err(|error| error.to_string())?.timeout(Some(TIMEOUT));
        if let Some(port) = parsed.port() {
            builder = builder.port(port);
        }
        builder = match (parsed.username(), password) {
            ("", None) => builder,
            ("", Some(_)) => {
                return Err("there is a password, but no name before the host".to_owned());
            }
            (_, None) => return Err("there is a name, but no smtp_password_file".to_owned()),
            (name, Some(password)) => {
                let name = name.replace("%40", "@");
                let password = password.expose_secret().trim().to_owned();
                builder.credentials(Credentials::new(name, password))
            }
        };
        let from = from.parse().map_err(|error| format!("mail_from: {error}"))?;
        for address in &alerts_to {
            address
                .parse::<Mailbox>()
                .map_err(|error| format!("alert_mail_to: {address}: {error}"))?;
        }
        Ok(Self { transport: builder.build(), from, alerts_to })
    }
}

/// Sends e-mail.
pub(crate) struct Mailer(MailRules);

impl Mailer {
    pub(super) fn new(rules: MailRules) -> Self {
        Self(rules)
    }

    pub(super) async fn send(
        &self,
        to: &str,
        message: &Message,
        letter: &Letter,
        public_url: &str,
    ) -> Result<(), String> {
        let host = self.0.from.email.domain();
        let mail = lettre::Message::builder()
            .from(self.0.from.clone())
            .to(to.parse().map_err(|_| "the address is not acceptable".to_owned())?)
            .subject(format!("[Wardroom] {}", letter.subject))
            // The same each time it is tried, so that a mailbox shows it once.
            .message_id(Some(format!("<{}@{host}>", message.id)))
            .header(ContentType::TEXT_PLAIN)
            .body(format!("{}\n-- \n{public_url}\n", letter.text))
            .map_err(|error| error.to_string())?;
        self.0.transport.send(mail).await.map(drop).map_err(|error| told(&error))
    }
}

/// Why it did not come through. SECURITY: what a mail server says repeats addresses; only its code is kept.
fn told(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => {
            "the mail server's certificate or TLS is not acceptable".to_owned()
        }
        None => "the mail server could not be spoken with".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_send_in_the_clear_is_refused() {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let rules = |url: &str, password: Option<&str>| {
            MailRules::new(url, password.map(SecretString::from), "w@example.org", vec![])
        };
        for (url, password) in [
            ("smtp://mail.example.org?tls=none", None),
            ("smtp://mail.example.org?tls=opportunistic", None),
            ("http://mail.example.org", None),
            ("smtps://ann:secret@mail.example.org", None),
            ("smtps://ann@mail.example.org", None),
            ("smtps://mail.example.org", Some("secret")),
            ("mail.example.org", None),
        ] {
            let refused = rules(url, password).map(drop);
            assert!(refused.is_err(), "{url}");
            assert!(!refused.unwrap_err().contains("secret"), "{url}");
        }
        for (url, password) in [
            ("smtps://mail.example.org", None),
            ("smtp://ann%40example.org@mail.example.org:587", Some("secret")),
            ("smtp://127.0.0.1:2525?tls=none", None),
        ] {
            assert!(rules(url, password).is_ok(), "{url}");
        }
    }
}
