//! `wardroom login`, `logout`, `whoami` and `health`

use super::{
    Api, Connection, Exit, Failure, Session,
    connection::read_secret,
    credentials::{self, Credentials},
    values,
};
use crate::output::{Output, Table, asked, duration, pairs};
use secrecy::{ExposeSecret, SecretString};
use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::PathBuf,
    time::Duration,
};
use wardroom_wire::{
    api::HealthView,
    identity::{CodeRequest, LoginRequest, LogoutRequest, SignedIn, StandingView, Whoami},
};

/// The longest password that is read, in bytes.
const PASSWORD_BYTES_MAX: u64 = 1024;

/// Sign in and keep the session for the commands after this one.
///
/// The password is asked for without echo on a terminal, or read from standard input; so is a code, where the
/// account has a second factor. The session's tokens, the orchestrator's address and the path of its authority
/// are kept in ${XDG_CONFIG_HOME:-~/.config}/wardroom/credentials.toml, which only you may read.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Your account's name or e-mail address
    #[arg(long)]
    name: Option<String>,
    /// A file with the password
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// A file with a code of your authenticator, or a recovery code
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
}

/// End the session in use and forget it.
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
    let password = password(args.password_file, "Password: ")?;
    let code = args.code_file.map(|path| read_secret(&path, "code")).transpose()?;
    let api = Api::new(&Connection { token: None, kept: None, ..connection })?;
    let body = LoginRequest {
        name: name.clone(),
        password: password.expose_secret().to_owned(),
        code: code.map(|code| code.expose_secret().to_owned()),
        client: client_name(),
    };
    let made: SignedIn = api.post("/api/v1/login", &body).await?;
    let kept = Credentials {
        server: api.server().to_owned(),
        ca,
        name,
        token: SecretString::from(made.access_token),
        refresh: SecretString::from(made.refresh_token),
        expires_at: made.session_expires_at,
    };
    credentials::save(&path, &kept)?;
    let output = &session.output;
    let mut standing = made.standing;
    if standing.needs == "second_factor" && io::stdin().is_terminal() {
        let code = asked("Code of your authenticator, or a recovery code: ")?;
        let api = session.api()?;
        standing = api.post("/api/v1/session/second-factor", &CodeRequest { code }).await?;
    }
    if output.json {
        output.json(&standing)?;
    } else {
        let until = output.time(&kept.expires_at);
        let (server, name) = (&kept.server, &kept.name);
        output.line(&format!("Signed in to {server} as {name}; the session ends {until}."))?;
    }
    next_step(output, &standing);
    Ok(Exit::Ok)
}

/// Says what a session needs before anything else is open to it.
pub(super) fn next_step(output: &Output, standing: &StandingView) {
    let hint = match standing.needs.as_str() {
        "second_factor" => {
            "Your account has a second factor: show it with `wardroom account code`."
        }
        "set_password" => "Set a password of your own first: `wardroom account password`.",
        "set_second_factor" => {
            "Your role needs a second factor: add one with `wardroom account totp`."
        }
        _ => return,
    };
    output.hint(hint);
}

/// The password: from a file, from the terminal without echo, or from standard input.
pub(super) fn password(file: Option<PathBuf>, question: &str) -> Result<SecretString, Failure> {
    if let Some(path) = file {
        return read_secret(&path, "password");
    }
    let broken = |error: io::Error| Failure::local(format!("the password can't be read: {error}"));
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(question).map(SecretString::from).map_err(broken);
    }
    // A line each: whoever is asked for two passes two.
    let mut text = String::new();
    io::stdin().lock().take(PASSWORD_BYTES_MAX + 2).read_line(&mut text).map_err(broken)?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(Failure::usage("no password was given").advice(
            "Pass it on standard input, a line for each that is asked for, or in a file.",
        ));
    }
    Ok(SecretString::from(password))
}

/// What the list of sessions shows.
fn client_name() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!(concat!("wardroom/", env!("CARGO_PKG_VERSION"), " on {}"), host)
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
        ("needs", whoami.standing.needs),
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
