//! Lines that settings, files and certificates answer.

use crate::{
    config::Config,
    is_there,
    serve::{certificate, installation},
};
use std::path::Path;
use wardroom_server::posture::Check;

/// All of them.
pub(crate) fn checks(data: &Path, config: &Config) -> Vec<Check> {
    let mut checks = vec![folder(data), key_ring(config), first_password(data)];
    checks.extend(identity(config));
    checks.extend(doors(config));
    checks.extend(network(data, config));
    checks
}

fn folder(data: &Path) -> Check {
    let title = "The data folder is its owner's alone";
    let found = installation::private_folder(data);
    let problem = found.as_ref().err().map(|error| format!("{error:#}")).unwrap_or_default();
    Check::demand("D-1", title, found.is_ok(), problem, "Take the others' rights away.")
}

fn key_ring(config: &Config) -> Check {
    let title = "The key that wraps all keys comes from a file of its own";
    match (config.path("encryption_key_file"), config.text("encryption_key")) {
        (Some(file), _) => Check::demand("D-6", title, true, file.display().to_string(), ""),
        (None, Some(_)) => Check::attest(
            "D-6",
            title,
            "It stands in the environment, which other processes of the same user can read: rather name a file with encryption_key_file.",
        ),
        (None, None) => Check::attest(
            "D-6",
            title,
            "It lies in the data folder, beside what it protects: keep it out of the data's backups, or name another place with encryption_key_file.",
        ),
    }
}

fn first_password(data: &Path) -> Check {
    let file = data.join(installation::PASSWORD_FILE);
    let there = is_there(&file);
    let found = if there { format!("{} is still there", file.display()) } else { String::new() };
    let fix = "Sign in, set an own password, delete the file.";
    Check::demand("I-5", "The first password does not lie about", !there, found, fix)
}

fn number(config: &Config, setting: &str) -> u64 {
    config.text(setting).and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn identity(config: &Config) -> Vec<Check> {
    let at_least = |control, title, setting, wanted: u64| {
        let is = number(config, setting);
        let fix = format!("Set {setting} to {wanted} or more.");
        Check::demand(control, title, is >= wanted, format!("{setting} is {is}"), &fix)
    };
    let at_most = |control, title, setting, wanted: u64| {
        let is = number(config, setting);
        let fix = format!("Set {setting} to {wanted} or less, but not to 0.");
        Check::demand(
            control,
            title,
            (1..=wanted).contains(&is),
            format!("{setting} is {is}"),
            &fix,
        )
    };
    let roles = config.list("second_factor_roles");
    let admins = roles.iter().any(|role| role == "admin");
    vec![
        at_most("I-2", "Access tokens are short", "access_token_expire_minutes", 60),
        at_least("I-4", "Passwords are long", "password_chars_min", 12),
        at_least("I-4", "Passwords mix classes", "password_classes_min", 3),
        at_least("I-4", "Old passwords do not come back", "password_history", 5),
        at_most("I-4", "Passwords are renewed", "password_days", 90),
        at_least("I-5", "Password hashes are costly", "password_memory_kib", 19_456),
        at_most("I-6", "Failed attempts block an address", "failed_attempts_max", 20),
        Check::demand(
            "I-7",
            "Administrators need a second factor",
            admins,
            format!("second_factor_roles is {}", roles.join(",")),
            "Name admin in second_factor_roles.",
        ),
        provider(config),
        at_most("I-8", "Sessions end when they are not used", "session_idle_minutes", 720),
        at_most("I-8", "An account has few sessions", "sessions_max", 20),
    ]
}

fn provider(config: &Config) -> Check {
    let title = "Who signs in through a provider gets the role that is meant";
    match (config.text("oidc_issuer"), config.text("oidc_default_role")) {
        (None, _) => Check::demand("I-10", title, true, "accounts are here only", ""),
        (Some(issuer), None) => Check::demand("I-10", title, true, format!("by {issuer}"), ""),
        (Some(issuer), Some(role)) => Check::attest(
            "I-10",
            title,
            format!("Make sure that everybody whom {issuer} knows may come in as {role}."),
        ),
    }
}

fn doors(config: &Config) -> Vec<Check> {
    let limits = ["rate_limit_address_per_minute", "rate_limit_principal_per_minute"];
    let limited = limits.iter().all(|setting| number(config, setting) > 0);
    let filter = config.text("request_filter").unwrap_or_default();
    let title = "The request filter holds attacks off";
    let filter = if filter.starts_with("block") {
        Check::demand("N-10", title, true, format!("request_filter is {filter}"), "")
    } else if filter.starts_with("detect") {
        let what = "It only counts. Once `wardroom security audit` and the counter wardroom_requests_filtered_total show no sound requests among what it found, set request_filter to block.";
        Check::attest("N-10", title, what)
    } else {
        let found = format!("request_filter is {filter}");
        Check::demand("N-10", title, false, found, "Set request_filter to detect, later to block.")
    };
    // What is open to whom a setting names is for whoever runs it to vouch for.
    let vouched = |control, title, setting, ask: &str| {
        let named = config.list(setting);
        if named.is_empty() {
            return Check::demand(control, title, true, format!("{setting} names none"), "");
        }
        Check::attest(control, title, format!("{ask}: {}.", named.join(", ")))
    };
    let cors = vouched(
        "N-7",
        "Scripts of other sites are kept out",
        "cors_origins",
        "Make sure that these belong to you",
    );
    let documents = vouched(
        "I-10",
        "Programs are registered before they ask people for grants",
        "oauth_client_documents",
        "Make sure that you trust whoever writes documents there",
    );
    let proxies = vouched(
        "N-5",
        "Addresses are believed of nobody but your own proxies",
        "trusted_proxies",
        "Make sure that these are yours",
    );
    vec![
        Check::demand(
            "N-4",
            "Bodies and connections are bounded",
            number(config, "body_bytes_max") > 0 && number(config, "connections_max") > 0,
            format!("body_bytes_max is {}", number(config, "body_bytes_max")),
            "Set body_bytes_max and connections_max.",
        ),
        Check::demand(
            "N-5",
            "Requests are limited by address and account",
            limited,
            String::new(),
            "Set rate_limit_address_per_minute and rate_limit_principal_per_minute.",
        ),
        Check::demand(
            "N-6",
            "Addresses block themselves",
            number(config, "block_minutes") > 0 && number(config, "failed_attempts_max") > 0,
            format!("block_minutes is {}", number(config, "block_minutes")),
            "Set block_minutes and failed_attempts_max.",
        ),
        filter,
        cors,
        documents,
        proxies,
    ]
}

fn network(data: &Path, config: &Config) -> Vec<Check> {
    let old = config.flag("tls12").unwrap_or(true);
    let metrics = config.address("listen_metrics").ok().flatten();
    let title = "Metrics are not open to the network";
    let metrics = match metrics {
        Some(address) if !address.ip().is_loopback() => Check::attest(
            "N-12",
            title,
            format!("They listen on {address}: a firewall must keep others out."),
        ),
        _ => Check::demand("N-12", title, true, "", ""),
    };
    let watched = match config.text("listen_metrics") {
        Some(address) => Check::demand("W-4", "Metrics are served", true, address, ""),
        None => Check::attest(
            "W-4",
            "Metrics are served",
            "They are not: set listen_metrics and let Prometheus ask, or watch it by other means.",
        ),
    };
    let open = config.list("outbound_allow");
    let title = "Nothing private is asked";
    let outbound = match open.as_slice() {
        [] => Check::demand("N-13", title, true, "", ""),
        _ => Check::attest(
            "N-13",
            title,
            format!("Make sure that these may be asked: {}.", open.join(", ")),
        ),
    };
    let plain = config.text("listen_redirect").map_or_else(
        || "there is no plain listener".to_owned(),
        |address| format!("{address} only redirects"),
    );
    let postgres = config.text("database_url").is_some_and(|url| url.starts_with("postgres"))
        || config.path("database_url_file").is_some();
    let mode = config.text("postgres_tls_mode").unwrap_or_default();
    let title = "The database is reached over TLS";
    let database = match (postgres, mode) {
        (false, _) => Check::demand("D-3", title, true, "it is a file here", ""),
        (true, "verify-full") => Check::demand("D-3", title, true, "verify-full", ""),
        (true, mode) => Check::attest(
            "D-3",
            title,
            format!(
                "postgres_tls_mode is {mode}: anybody between here and there reads along, unless it is this very machine. Set it to verify-full."
            ),
        ),
    };
    vec![
        Check::demand(
            "N-1",
            "TLS 1.3 is spoken, and nothing older",
            !old,
            if old { "TLS 1.2 is taken too" } else { "" },
            "Set tls12 to false when the last old client is gone.",
        ),
        certificate::check(data, config),
        metrics,
        watched,
        outbound,
        Check::demand("N-14", "Plain HTTP only leads to HTTPS", true, plain, ""),
        database,
    ]
}
