//! `wardroom login`, `logout`, `whoami` and `health`

use super::{
    Api, Connection, Exit, Failure, Session,
    connection::read_secret,
    credentials::{self, Credentials},
    values,
};
use crate::output::{Table, asked, duration, pairs};
use secrecy::{ExposeSecret, SecretString};
use std::{
    io::{self, IsTerminal, Read},
    path::PathBuf,
    time::Duration,
};
use wardroom_wire::api::{HealthView, LoginRequest, LogoutRequest, NewToken, Whoami};

/// The longest password that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1024;
/// The longest name of a token, in characters.
const TOKEN_NAME_CHARS_MAX: usize = 64;

/// Sign in and keep an API token for the commands after this one.
///
/// The password is asked for without echo on a terminal, or read from standard input. The token, the
/// orchestrator's address and the path of its authority are kept in
/// ${XDG_CONFIG_HOME:-~/.config}/wardroom/credentials.toml, which only you may read.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Your account's name
    #[arg(long)]
    name: Option<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// How long the token is good for, 1m to 90d; 12h where not given
    #[arg(long, value_parser = values::duration, value_name = "TIME")]
    expires_in: Option<Duration>,
    /// What the token is called in your list
    #[arg(long)]
    token_name: Option<String>,
}

/// Revoke the token in use and forget it.
#[derive(Debug, clap::Args)]
pub(crate) struct Logout {
    /// End all sessions and tokens of your account, not only this one
    #[arg(long)]
    everywhere: bool,
}

/// Signs in.
pub(crate) async fn login(session: &Session, args: Login) -> Result<Exit, Failure> {
    let connection = session.connection()?;
    let path = session.environment.credentials.clone().ok_or_else(|| {
        Failure::usage("there is no place to keep the token").advice("Set HOME or XDG_CONFIG_HOME.")
    })?;
    let ca = connection.ca.as_ref().map(std::fs::canonicalize).transpose().map_err(|error| {
        Failure::usage(format!(
            "the authority {} can't be used: {error}",
            connection.ca.as_deref().unwrap_or(&path).display()
        ))
    })?;
    let name = match args.name {
        Some(name) => name,
        None if io::stdin().is_terminal() => asked("Name: ")?,
        None => return Err(Failure::usage("no account is named").advice("Give --name.")),
    };
    let password = password(args.password_file)?;
    let api = Api::new(&Connection { token: None, kept: None, ..connection })?;
    let body = LoginRequest {
        name: name.clone(),
        password: password.expose_secret().to_owned(),
        token_name: args.token_name.unwrap_or_else(token_name),
        expires_in: args.expires_in.map(values::seconds),
    };
    let made: NewToken = api.post("/api/v1/login", &body).await?;
    let kept = Credentials {
        server: api.server().to_owned(),
        ca,
        name,
        token: SecretString::from(made.secret),
        expires_at: made.token.expires_at.clone(),
    };
    credentials::save(&path, &kept)?;
    let output = &session.output;
    if output.json {
        output.json(&made.token)?;
    } else {
        output.line(&format!(
            "Signed in to {} as {}; the token ends {}.",
            kept.server,
            kept.name,
            output.time(&kept.expires_at)
        ))?;
    }
    Ok(Exit::Ok)
}

/// The password: from a file, from the terminal without echo, or from standard input.
fn password(file: Option<PathBuf>) -> Result<SecretString, Failure> {
    if let Some(path) = file {
        return read_secret(&path, "password");
    }
    let broken = |error: io::Error| Failure::local(format!("the password can't be read: {error}"));
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").map(SecretString::from).map_err(broken);
    }
    let mut text = String::new();
    io::stdin().lock().take(PASSWORD_BYTES_MAX + 2).read_to_string(&mut text).map_err(broken)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("no password was given")
            .advice("Pass it on standard input, or with --password-file."));
    }
    Ok(SecretString::from(password))
}

/// What the token is called where nobody says.
fn token_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("wardroom on {host}")
        .chars()
        .filter(|c| !c.is_control())
        .take(TOKEN_NAME_CHARS_MAX)
        .collect()
}

/// Signs out.
pub(crate) async fn logout(session: &Session, args: &Logout) -> Result<Exit, Failure> {
    let connection = session.connection()?;
    let kept = connection.kept.clone();
    let server = connection.server.clone();
    let output = &session.output;
    let ended = match session.api() {
        Ok(api) => {
            api.post_quietly("/api/v1/logout", &LogoutRequest { everywhere: args.everywhere }).await
        }
        Err(failure) => Err(failure),
    };
    match (ended, kept) {
        (Ok(()), Some(path)) => credentials::remove(&path)?,
        (Ok(()), None) => {}
        // A token that is not valid any more is as good as revoked.
        (Err(failure), Some(path)) if failure.exit == Exit::Denied && !args.everywhere => {
            credentials::remove(&path)?;
            output.hint("The kept token was not valid any more.");
        }
        (Err(failure), _) => return Err(failure),
    }
    output.hint(&format!(
        "Signed out of {server}{}.",
        if args.everywhere { " everywhere" } else { "" }
    ));
    Ok(Exit::Ok)
}

/// Shows who is signed in.
pub(crate) async fn whoami(session: &Session) -> Result<Exit, Failure> {
    let api = session.api()?;
    let whoami: Whoami = api.get("/api/v1/whoami", &vec![]).await?;
    let output = &session.output;
    if output.json {
        output.json(&whoami)?;
        return Ok(Exit::Ok);
    }
    output.table(&pairs([
        ("name", whoami.name),
        ("id", whoami.id),
        ("role", whoami.role),
        ("signed in by", whoami.credential),
        ("server", api.server().to_owned()),
        ("may", whoami.may.join(" ")),
    ]))?;
    Ok(Exit::Ok)
}

/// Shows how the orchestrator is.
pub(crate) async fn health(session: &Session) -> Result<Exit, Failure> {
    let health: HealthView = session.api()?.get("/api/v1/health", &vec![]).await?;
    let output = &session.output;
    let exit = if health.status == "ok" { Exit::Ok } else { Exit::Found };
    if output.json {
        output.json(&health)?;
        return Ok(exit);
    }
    output.table(&pairs([
        ("status", health.status),
        ("version", health.version),
        ("up for", duration(Duration::from_secs(health.uptime_seconds))),
    ]))?;
    let mut table = Table::new(&["PART", "STATUS", "DETAIL"]);
    for (name, part) in health.parts {
        table.row([name, part.status, values::shown(&part.detail)]);
    }
    output.line("")?;
    output.table(&table)?;
    Ok(exit)
}
