//! Which orchestrator, trusted by what, as whom: flags, then the environment, then what `login` kept.

use super::{
    Failure,
    credentials::{self, Credentials},
};
use secrecy::SecretString;
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// The longest secret that is read, in bytes.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// Options of every client command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Globals {
    /// The orchestrator's address, as `https://HOST:PORT`
    #[arg(long, global = true, env = "WARDROOM_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The authority's certificate (PEM); nothing else is trusted then
    #[arg(long, global = true, env = "WARDROOM_CA", value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A file with the API token; WARDROOM_TOKEN holds the token itself
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print the API's JSON, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What of the environment matters. SECURITY: a token is never an argument, which every process of
/// the machine could read; so it has no flag, and `clap` never sees it.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    /// `WARDROOM_TOKEN`.
    pub(crate) token: Option<SecretString>,
    /// `WARDROOM_TOKEN_FILE`.
    pub(crate) token_file: Option<PathBuf>,
    /// Where `login` keeps what it was given.
    pub(crate) credentials: Option<PathBuf>,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn read() -> Self {
        let path =
            |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let config = path("XDG_CONFIG_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| path("HOME").map(|home| home.join(".config")));
        Self {
            token: std::env::var("WARDROOM_TOKEN")
                .ok()
                .filter(|text| !text.trim().is_empty())
                .map(|text| SecretString::from(text.trim())),
            token_file: path("WARDROOM_TOKEN_FILE"),
            credentials: config.map(|config| config.join("wardroom/credentials.toml")),
        }
    }
}

/// Where a connection goes and as whom.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The orchestrator, without a slash at the end.
    pub(crate) server: String,
    /// The only authority that is trusted; the system's where absent.
    pub(crate) ca: Option<PathBuf>,
    /// The access token or API token.
    pub(crate) token: Option<SecretString>,
    /// The kept credentials, when the token came from there.
    pub(crate) kept: Option<PathBuf>,
}

impl Connection {
    /// Decides.
    pub(crate) fn resolve(globals: &Globals, environment: &Environment) -> Result<Self, Failure> {
        let kept = match &environment.credentials {
            // A broken file must not stand in the way of who names everything.
            Some(path) if !Self::is_whole(globals, environment) => credentials::load(path)?,
            _ => None,
        };
        let server = match (&globals.server, &kept) {
            (Some(server), _) => check_server(server)?,
            (None, Some(kept)) => check_server(&kept.server)?,
            (None, None) => {
                return Err(Failure::usage("no orchestrator is named")
                    .advice("Sign in with `wardroom login --server URL --ca FILE`, or give --server or WARDROOM_SERVER."));
            }
        };
        // SECURITY: what one orchestrator gave is never shown to another.
        let kept = kept.filter(|kept| kept.server == server);
        let ca = globals.ca.clone().or_else(|| kept.as_ref().and_then(|kept| kept.ca.clone()));
        let (token, from_kept) = Self::token(globals, environment, kept.as_ref())?;
        let kept = environment.credentials.clone().filter(|_| from_kept);
        Ok(Self { server, ca, token, kept })
    }

    /// Whether nothing of the kept credentials is needed.
    fn is_whole(globals: &Globals, environment: &Environment) -> bool {
        let token = globals.token_file.is_some()
            || environment.token.is_some()
            || environment.token_file.is_some();
        globals.server.is_some() && globals.ca.is_some() && token
    }

    fn token(
        globals: &Globals,
        environment: &Environment,
        kept: Option<&Credentials>,
    ) -> Result<(Option<SecretString>, bool), Failure> {
        if let Some(path) = &globals.token_file {
            return Ok((Some(read_secret(path, "token")?), false));
        }
        if let Some(token) = &environment.token {
            return Ok((Some(token.clone()), false));
        }
        if let Some(path) = &environment.token_file {
            return Ok((Some(read_secret(path, "token")?), false));
        }
        Ok((kept.map(|kept| kept.token.clone()), kept.is_some()))
    }
}

/// A secret from a file, without white space around it.
pub(crate) fn read_secret(path: &Path, what: &str) -> Result<SecretString, Failure> {
    let broken = |reason: String| {
        Failure::usage(format!("the {what} in {} can't be read: {reason}", path.display()))
    };
    let file = File::open(path).map_err(|error| broken(error.to_string()))?;
    let mut text = zeroize_on_drop(String::new());
    file.take(SECRET_BYTES_MAX + 1)
        .read_to_string(&mut text.0)
        .map_err(|error| broken(error.to_string()))?;
    if text.0.len() as u64 > SECRET_BYTES_MAX {
        return Err(broken(format!("it is longer than {SECRET_BYTES_MAX} bytes")));
    }
    let secret = text.0.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(broken("the file is empty".to_owned()));
    }
    Ok(SecretString::from(secret))
}

/// A text that is wiped when it is no longer needed.
struct Wiped(String);

fn zeroize_on_drop(text: String) -> Wiped {
    Wiped(text)
}

impl Drop for Wiped {
    fn drop(&mut self) {
        use secrecy::zeroize::Zeroize;
        self.0.zeroize();
    }
}

/// An address in its one form: `https`, host, port, nothing behind.
pub(crate) fn check_server(text: &str) -> Result<String, Failure> {
    let wrong = |reason: &str| {
        Failure::usage(format!("{text:?} is not an orchestrator's address: {reason}"))
            .advice("It looks like https://wardroom.example:4000")
    };
    let url = reqwest::Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    // SECURITY: over plain HTTP the token would be anybody's.
    if url.scheme() != "https" {
        return Err(wrong("it must begin with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must not carry a name or password"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("nothing may stand behind the port"));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use secrecy::ExposeSecret;

    fn globals(server: Option<&str>) -> Globals {
        Globals { server: server.map(str::to_owned), ..Globals::default() }
    }

    #[test]
    fn addresses_have_one_form() {
        assert_eq!(check_server("https://LOCALHOST:4000/").unwrap(), "https://localhost:4000");
        assert_eq!(check_server(" https://[::1]:4000").unwrap(), "https://[::1]:4000");
        for bad in [
            "localhost:4000",
            "http://localhost",
            "https://a:b@c",
            "https://a/b",
            "https://a?b",
            "",
            "https://",
        ] {
            assert_eq!(check_server(bad).unwrap_err().exit, super::super::Exit::Usage, "{bad:?}");
        }
    }

    #[test]
    fn a_kept_token_goes_to_its_own_orchestrator_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wardroom/credentials.toml");
        let kept = Credentials {
            server: "https://one:4000".into(),
            ca: Some("/ca.pem".into()),
            name: "ada".into(),
            token: SecretString::from("kept"),
            refresh: SecretString::from("next"),
            expires_at: "2026-01-01T00:00:00Z".into(),
        };
        credentials::save(&path, &kept).unwrap();
        let environment = Environment { credentials: Some(path.clone()), ..Environment::default() };
        let own = Connection::resolve(&globals(None), &environment).unwrap();
        assert_eq!((own.server.as_str(), own.ca), ("https://one:4000", Some("/ca.pem".into())));
        assert_eq!((own.token.unwrap().expose_secret(), own.kept), ("kept", Some(path)));
        let other = Connection::resolve(&globals(Some("https://two:4000")), &environment).unwrap();
        assert!(other.token.is_none() && other.ca.is_none() && other.kept.is_none());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (flag, variable) = (folder.path().join("flag"), folder.path().join("variable"));
        std::fs::write(&flag, "from-flag\n").unwrap();
        std::fs::write(&variable, "from-file").unwrap();
        let token = |globals: &Globals, environment: &Environment| {
            Connection::resolve(globals, environment)
                .unwrap()
                .token
                .unwrap()
                .expose_secret()
                .to_owned()
        };
        let mut environment = Environment { token_file: Some(variable), ..Environment::default() };
        let mut globals = globals(Some("https://one"));
        assert_eq!(token(&globals, &environment), "from-file");
        environment.token = Some(SecretString::from("from-variable"));
        assert_eq!(token(&globals, &environment), "from-variable");
        globals.token_file = Some(flag);
        assert_eq!(token(&globals, &environment), "from-flag");
        globals.token_file = Some(folder.path().join("none"));
        assert_eq!(
            Connection::resolve(&globals, &environment).unwrap_err().exit,
            super::super::Exit::Usage
        );
    }
}
