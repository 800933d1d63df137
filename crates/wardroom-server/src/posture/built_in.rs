//! Lines that are the same on every installation of this version: what is always in force, what a person must see
//! to, and what there is nothing of yet.

use super::{Check, Verdict};

/// Always in force; no setting turns it off. docs/controls.toml names the tests.
const IN_FORCE: &[(&str, &str)] = &[
    ("I-1", "Join tokens are single use, short-lived and revocable"),
    ("I-3", "Refresh tokens are good once; a copy ends the session"),
    ("I-9", "API tokens are kept as hashes, end, and have scopes"),
    ("A-1", "Every route asks policy; what no policy permits is denied"),
    ("A-2", "Customers see their own only"),
    ("A-3", "Policy is per node, command, customer and service"),
    ("E-1", "Nodes run what their own lists define"),
    ("E-3", "Parameters are typed and checked on both sides"),
    ("E-4", "Each run is bounded in time, processor, memory, processes, files and output"),
    ("E-6", "Files are bounded, known by content, within a quota, sealed"),
    ("E-7", "Runs are durable and repeated only where that is harmless"),
    ("N-8", "Security headers are on every response"),
    ("N-9", "Browsers change nothing without token, origin and same-site cookie"),
    ("N-11", "Input is checked by structure and escaped where it is shown"),
    ("D-5", "People and customers get what is known of them, and can be erased"),
    ("W-1", "Every change is in the audit log, in its own transaction"),
    ("W-5", "Liveness, readiness and a detailed view"),
    ("W-8", "Commands for connections, blocks, alerts, faults and health"),
    ("W-10", "Errors are grouped and counted"),
    ("V-4", "This checklist runs as a program"),
    ("V-7", "Names of other systems are honoured or refused by name"),
];

/// What nothing here can see.
const ATTESTED: &[(&str, &str, &str)] = &[
    (
        "D-2",
        "Keys and credentials are renewed",
        "Renew the database's password and API tokens every 90 days, and the key ring with `wardroom keys rotate` every 180. The authority's certificates renew themselves.",
    ),
    (
        "D-4",
        "Backups are made and were restored",
        "Back up the database daily, and the people's keys to another place, with their newest copy only. Restore one now and then: `wardroom doctor` on the copy must pass.",
    ),
    (
        "W-3",
        "Logs are kept for long enough and out of reach",
        "Let the service manager rotate the log, keep it for 90 days, and send it to another machine (`log_format = \"json\"`).",
    ),
    (
        "V-3",
        "The binaries are the ones that were built",
        "Build from a tag with `--locked`, run `./dev lint` for licences and advisories, and compare checksums where you install.",
    ),
    (
        "V-1",
        "The service is confined",
        "Run it as a user of its own, with a read-only system and no new privileges.",
    ),
    (
        "V-5",
        "Somebody knows what to do when something happens",
        "Decide who is called, and try the commands that contain: `security block`, `user disable`, `account end-session`, `node disable`, `policy rollback`.",
    ),
];

/// What this version does not have.
const ABSENT: &[(&str, &str, &str)] = &[
    ("I-11", "Static tokens of MCP doors", "there are no such doors"),
    ("A-4", "Agents never exceed their callers", "there are no agents"),
    ("A-5", "Tool calls are checked one by one", "there are no tools"),
    ("E-5", "Agents' state is apart per person", "there are no agents"),
    ("E-8", "Circuit breakers around what is outside", "there are no tool servers"),
    ("N-2", "MCP over WebSocket and TCP", "there are no such doors"),
    ("N-3", "Strict JSON-RPC", "there are no such doors"),
    ("D-7", "Redis and RabbitMQ with passwords and TLS", "neither is used"),
    ("D-8", "Model providers' keys", "there are no models"),
    ("W-7", "Integrity of installed files", "files are not watched"),
    ("W-9", "Usage per agent and tool", "there are none"),
    ("G-1", "Slack", "there is no such door"),
    ("G-2", "Model providers", "there are no models"),
    ("G-3", "Schedules, brokers and webhooks as triggers", "there are none"),
    ("G-4", "Several orchestrators with Redis and RabbitMQ", "neither is used"),
    ("V-2", "Kubernetes", "there are no manifests"),
    ("V-6", "Mappings to standards", "there are none"),
];

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let in_force = IN_FORCE.iter().map(|(control, title)| Check {
        control,
        title,
        verdict: Verdict::Pass("always in force".to_owned()),
    });
    let attested =
        ATTESTED.iter().map(|(control, title, what)| Check::attest(control, title, *what));
    let absent = ABSENT.iter().map(|(control, title, why)| Check {
        control,
        title,
        verdict: Verdict::Absent((*why).to_owned()),
    });
    in_force.chain(attested).chain(absent).collect()
}
