//! `wardroom account …`: one's own account

use super::{
    Exit, Failure, Session,
    connection::read_secret,
    http::segment,
    sign_in::{next_step, password},
};
use crate::output::{Output, Table, asked, pairs, qr};
use secrecy::ExposeSecret;
use std::{
    io::{self, BufRead, IsTerminal},
    path::{Path, PathBuf},
};
use wardroom_wire::{
    api::List,
    identity::{
        CodeRequest, FactorConfirmed, FactorCreate, FactorsView, NewTotp, PasswordChange,
        ProveRequest, RecoveryCodes, SessionView, StandingView, UserPatch, UserView,
    },
};

/// What can be done with one's own account.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum AccountCommand {
    /// Show your account
    Show,
    /// Save everything that is known of you, as a ZIP archive
    Export {
        /// Where to
        #[arg(long)]
        out: PathBuf,
    },
    /// Change how you are called and reached
    Change {
        /// The name by which you are shown
        #[arg(long)]
        display_name: Option<String>,
        /// Where messages go; empty for nowhere
        #[arg(long)]
        email: Option<String>,
    },
    /// Set your password; all other sessions of your account end
    Password {
        /// A file with the password so far
        #[arg(long, value_name = "FILE")]
        current_file: Option<PathBuf>,
        /// A file with the new one
        #[arg(long, value_name = "FILE")]
        new_file: Option<PathBuf>,
    },
    /// Show the second factor that your session still needs
    Code {
        /// A file with a code of your authenticator, or a recovery code; standard input where absent
        #[arg(long, value_name = "FILE")]
        code_file: Option<PathBuf>,
    },
    /// Prove again who you are, for what needs a fresh proof
    Prove {
        /// A file with your password
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        /// A file with a code of your authenticator, or a recovery code; standard input where absent
        #[arg(long, value_name = "FILE")]
        code_file: Option<PathBuf>,
    },
    /// Add an authenticator app as a second factor
    Totp {
        /// What it is called in your list
        #[arg(long, default_value = "authenticator")]
        name: String,
        /// Confirm this one, which was begun before
        #[arg(long, value_name = "ID")]
        confirm: Option<String>,
        /// A file with the code; standard input where absent
        #[arg(long, value_name = "FILE", requires = "confirm")]
        code_file: Option<PathBuf>,
    },
    /// List your second factors
    Factors,
    /// Remove a second factor
    RemoveFactor {
        /// Its id
        id: String,
    },
    /// Make new recovery codes; those so far are good for nothing any more
    RecoveryCodes,
    /// List your sessions
    Sessions,
    /// End one of your sessions
    EndSession {
        /// Its id
        id: String,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: AccountCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        AccountCommand::Show => {
            show(output, &api.get::<UserView>("/api/v1/account", &vec![]).await?)?;
        }
        AccountCommand::Export { out } => {
            api.save("/api/v1/account/export", &out, output).await?;
        }
        AccountCommand::Change { display_name, email } => {
            let body = UserPatch { display_name, email, ..UserPatch::default() };
            show(output, &api.patch::<UserView>("/api/v1/account", &body, "*").await?)?;
        }
        AccountCommand::Password { current_file, new_file } => {
            let current = password(current_file, "Password so far: ")?;
            let new = new_password(new_file)?;
            let body = PasswordChange {
                current: current.expose_secret().to_owned(),
                new: new.expose_secret().to_owned(),
            };
            api.post_quietly("/api/v1/account/password", &body).await?;
            output.hint("The new password is set; all other sessions of your account have ended.");
        }
        AccountCommand::Code { code_file } => {
            let body = CodeRequest { code: code(code_file.as_deref())? };
            let standing = api.post("/api/v1/session/second-factor", &body).await?;
            proved(output, &standing)?;
        }
        AccountCommand::Prove { password_file, code_file } => {
            let password = password(password_file, "Password: ")?.expose_secret().to_owned();
            let factors: FactorsView = api.get("/api/v1/account/factors", &vec![]).await?;
            let has = factors.items.iter().any(|factor| factor.confirmed);
            let code = if has { Some(code(code_file.as_deref())?) } else { None };
            let body = ProveRequest { password, code };
            proved(output, &api.post("/api/v1/session/prove", &body).await?)?;
        }
        AccountCommand::Totp { name, confirm, code_file } => {
            totp(session, name, confirm, code_file.as_deref()).await?;
        }
        AccountCommand::Factors => {
            factors(output, &api.get("/api/v1/account/factors", &vec![]).await?)?
        }
        AccountCommand::RemoveFactor { id } => {
            api.delete(&format!("/api/v1/account/factors/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} is removed"));
        }
        AccountCommand::RecoveryCodes => {
            let made: RecoveryCodes = api.act("/api/v1/account/recovery-codes", None).await?;
            if output.json {
                output.json(&made)?;
            } else {
                codes(output, &made.codes)?;
            }
        }
        AccountCommand::Sessions => {
            sessions(output, &api.get("/api/v1/sessions", &vec![]).await?)?;
        }
        AccountCommand::EndSession { id } => {
            api.delete(&format!("/api/v1/sessions/{}", segment(&id)?)).await?;
            output.hint(&format!("{id} has ended"));
        }
    }
    Ok(Exit::Ok)
}

/// Adds an authenticator, and confirms it where somebody is there to read a code from it.
async fn totp(
    session: &Session,
    name: String,
    begun: Option<String>,
    code_file: Option<&Path>,
) -> Result<(), Failure> {
    let (api, output) = (session.api()?, &session.output);
    let id = match begun {
        Some(id) => id,
        None => {
            let made: NewTotp =
                api.post("/api/v1/account/factors/totp", &FactorCreate { name }).await?;
            if output.json {
                return output.json(&made);
            }
            output.hint("Add this to your authenticator app; it is not shown again:");
            if let Some(code) = qr(&made.uri) {
                output.picture(&code);
            }
            output.line(&made.secret)?;
            output.line(&made.uri)?;
            if !io::stdin().is_terminal() {
                output.hint("Then confirm it:");
                return output.line(&format!("wardroom account totp --confirm {}", made.id));
            }
            made.id
        }
    };
    let body = CodeRequest { code: code(code_file)? };
    let path = format!("/api/v1/account/factors/{}/confirm", segment(&id)?);
    let confirmed: FactorConfirmed = api.post(&path, &body).await.map_err(|failure| {
        failure.advice(format!("Try another code: wardroom account totp --confirm {id}"))
    })?;
    if output.json {
        return output.json(&confirmed);
    }
    output.hint("The authenticator is confirmed: every sign-in asks for a code of it from now on.");
    if !confirmed.recovery_codes.is_empty() {
        codes(output, &confirmed.recovery_codes)?;
    }
    next_step(output, &confirmed.standing);
    Ok(())
}

fn codes(output: &Output, codes: &[String]) -> Result<(), Failure> {
    output.hint("Keep these recovery codes safe; each is good once, and they are not shown again:");
    codes.iter().try_for_each(|code| output.line(code))
}

fn proved(output: &Output, standing: &StandingView) -> Result<(), Failure> {
    if output.json {
        return output.json(standing);
    }
    output.hint("You have proved who you are.");
    next_step(output, standing);
    Ok(())
}

/// A code: from a file, the terminal, or standard input.
fn code(file: Option<&Path>) -> Result<String, Failure> {
    match file {
        Some(path) => Ok(read_secret(path, "code")?.expose_secret().to_owned()),
        None if io::stdin().is_terminal() => asked("Code: "),
        None => first_line(io::stdin().lock()),
    }
}

/// The longest line that can be a code, in bytes.
const CODE_BYTES_MAX: u64 = 100;

/// The code in the first line of standard input.
fn first_line(input: impl BufRead) -> Result<String, Failure> {
    let mut line = String::new();
    let read = input.take(CODE_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| Failure::usage(format!("standard input can't be read: {error}")))?;
    match line.trim() {
        "" => Err(Failure::usage("no code was given")
            .advice("Give it with --code-file, or on standard input.")),
        code => Ok(code.to_owned()),
    }
}

/// A new password: from a file, or twice from the terminal.
pub(super) fn new_password(file: Option<PathBuf>) -> Result<secrecy::SecretString, Failure> {
    let new = password(file.clone(), "New password: ")?;
    if file.is_none() && io::stdin().is_terminal() {
        let again = password(None, "The same again: ")?;
        if again.expose_secret() != new.expose_secret() {
            return Err(Failure::usage("the two are not the same: nothing was changed"));
        }
    }
    Ok(new)
}

/// Shows an account.
pub(super) fn show(output: &Output, user: &UserView) -> Result<(), Failure> {
    if output.json {
        return output.json(user);
    }
    let or_none = |text: &str| if text.is_empty() { "-".to_owned() } else { text.to_owned() };
    output.table(&pairs([
        ("name", user.name.clone()),
        ("shown as", or_none(&user.display_name)),
        ("e-mail", or_none(&user.email)),
        ("id", user.id.clone()),
        ("role", user.role.clone()),
        ("groups", or_none(&user.groups.join(" "))),
        ("state", user.state.clone()),
        ("second factor", if user.second_factor { "yes" } else { "no" }.to_owned()),
        ("password set", output.time_or(user.password_changed_at.as_ref())),
        ("made", output.time(&user.created_at)),
    ]))
}

fn factors(output: &Output, view: &FactorsView) -> Result<(), Failure> {
    if output.json {
        return output.json(view);
    }
    let mut table = Table::new(&["ID", "KIND", "NAME", "CONFIRMED", "ADDED", "USED"]);
    for factor in &view.items {
        table.row([
            factor.id.clone(),
            factor.kind.clone(),
            factor.name.clone(),
            if factor.confirmed { "yes" } else { "no" }.to_owned(),
            output.time(&factor.created_at),
            output.time_or(factor.used_at.as_ref()),
        ]);
    }
    output.table(&table)?;
    output.hint(&format!("Recovery codes left: {}", view.recovery_codes_left));
    Ok(())
}

/// Shows sessions.
pub(super) fn sessions(output: &Output, list: &List<SessionView>) -> Result<(), Failure> {
    if output.json {
        return output.json(list);
    }
    let mut table = Table::new(&["ID", "KIND", "FROM", "WITH", "BEGAN", "USED", "ENDS"]);
    for session in &list.items {
        let mark = if session.current { " (this one)" } else { "" };
        table.row([
            session.id.clone(),
            format!("{}{mark}", session.kind),
            session.address.clone(),
            session.user_agent.clone(),
            output.time(&session.created_at),
            output.time(&session.seen_at),
            output.time(&session.expires_at),
        ]);
    }
    output.table(&table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_first_line_and_no_longer_than_codes_are() {
        let read = |text: &str| first_line(text.as_bytes()).ok();
        assert_eq!(read(" 123456 \n654321\n").as_deref(), Some("123456"));
        assert_eq!(read("123456").as_deref(), Some("123456"));
        assert_eq!((read(""), read("\n123456\n")), (None, None));
        assert_eq!(read(&"7".repeat(5000)).map(|code| code.len()), Some(100));
    }
}
