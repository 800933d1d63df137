#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod exchange;
mod fake;

use super::*;
use clap::{CommandFactory, Parser};

#[derive(Debug, Parser)]
#[command(name = "wardroom")]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: ClientCommand,
}

fn parse(line: &str) -> Result<ClientCommand, clap::error::ErrorKind> {
    Cli::try_parse_from(line.split_whitespace())
        .map(|cli| cli.command)
        .map_err(|error| error.kind())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn commands_are_read_as_documented() {
    for line in [
        "wardroom login --name ada --password-file pw --code-file c",
        "wardroom account password --current-file a --new-file b",
        "wardroom account totp --confirm factor_1 --code-file c",
        "wardroom account prove --password-file p",
        "wardroom user list --role operator --state invited --limit 20",
        "wardroom user invite ada --role operator --display-name Ada --email ada@example.org",
        "wardroom user change ada --role manager",
        "wardroom user erase ada --yes",
        "wardroom logout --everywhere",
        "wardroom whoami --json",
        "wardroom run echo --node web-1 --param text=hi --param loud --follow --json",
        "wardroom run echo --label tier=web,site=north --all --deadline 10m --attempts 3 --backoff 5s --priority 9",
        "wardroom runs list --state timed_out --node n --dead-letter --mine --limit 500",
        "wardroom runs output run_1 --follow --raw",
        "wardroom runs wait run_1 --timeout 90s",
        "wardroom runs cancel run_1",
        "wardroom runs steps run_1",
        "wardroom runs answer run_1 call_1 yes",
        "wardroom runs answer run_1 call_1 --again",
        "wardroom ask guide hello --var whom=Ann --detach --idempotency-key k",
        "wardroom runs replay run_1",
        "wardroom node token create --label tier=web --expires-in 15m",
        "wardroom node token list",
        "wardroom node token revoke join_1",
        "wardroom node label web-1 tier=db old-",
        "wardroom node remove web-1 --yes",
        "wardroom token create deploy --expires-in 7d --scope run.submit --scope run.read --out f",
        "wardroom audit list --action run. --outcome refused --from 2026-01-01T00:00:00Z",
        "wardroom audit verify",
        "wardroom audit verify export.jsonl --checkpoint note --key k",
        "wardroom audit proof 17 --out receipt.json",
        "wardroom audit proof verify receipt.json --key k",
        "wardroom audit compare --node-log node.jsonl export.jsonl",
        "wardroom policy explain run.submit --role operator --policy own.cedar",
        "wardroom policy try own.cedar",
        "wardroom policy apply own.cedar --note why",
        "wardroom policy rollback 0",
        "wardroom security block 192.0.2.7 --reason why --for 1h",
        "wardroom security lift 192.0.2.7",
        "wardroom completions zsh",
        "wardroom health --server https://localhost:4000 --ca ca.pem --token-file t",
    ] {
        assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
    }
}

#[test]
fn contradictions_are_refused() {
    use clap::error::ErrorKind as Kind;
    for (line, kind) in [
        ("wardroom run echo --all", Kind::MissingRequiredArgument),
        ("wardroom run echo --node n --label a=b", Kind::ArgumentConflict),
        ("wardroom run echo --node n --all", Kind::ArgumentConflict),
        ("wardroom run echo --node n --raw", Kind::MissingRequiredArgument),
        ("wardroom run echo --node n --deadline 10", Kind::ValueValidation),
        ("wardroom run echo --label tier", Kind::ValueValidation),
        ("wardroom runs list --state done", Kind::ValueValidation),
        ("wardroom audit proof", Kind::MissingRequiredArgument),
        ("wardroom audit verify --checkpoint note", Kind::MissingRequiredArgument),
        ("wardroom audit list --outcome fine", Kind::InvalidValue),
        ("wardroom policy explain run.submit --policy f", Kind::MissingRequiredArgument),
        ("wardroom login --token secret", Kind::UnknownArgument),
    ] {
        assert_eq!(parse(line).map(drop), Err(kind), "{line}");
    }
}

#[test]
fn no_flag_takes_a_token_or_a_password() {
    fn flags(command: &clap::Command, found: &mut Vec<String>) {
        found.extend(
            command.get_arguments().filter_map(|argument| argument.get_long().map(str::to_owned)),
        );
        command.get_subcommands().for_each(|command| flags(command, found));
    }
    let mut found = vec![];
    flags(&Cli::command(), &mut found);
    assert!(found.contains(&"token-file".to_owned()));
    assert!(
        !found.iter().any(|flag| ["token", "password", "secret"].contains(&flag.as_str())),
        "{found:?}"
    );
}

#[test]
fn every_client_command_documents_its_exit_codes() {
    for mut command in Cli::command().get_subcommands().cloned() {
        if command.get_name() != "completions" {
            assert!(
                command.render_long_help().to_string().contains("Exit codes:"),
                "{}",
                command.get_name()
            );
        }
    }
}
