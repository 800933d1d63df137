//! `wardroom doctor`: looks at this installation, not at a checklist.

use crate::{
    config::Config,
    is_there, say,
    serve::installation::{self, Installation},
};
use std::{path::Path, process::ExitCode, sync::Arc};
use wardroom_core::{audit::merkle, page::PageRequest, store::Store};
use wardroom_engine::hub::Hub;

/// How a check came out.
enum Verdict {
    Good(String),
    Bad(String),
    /// A person has to look.
    Look(String),
}

/// Checks everything that can be checked from here.
pub(crate) async fn run(data: &Path, config: &Config) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(
        is_there(data),
        "there is no installation in {}: give its folder with --data or WARDROOM_DATA, or make one with `wardroom init`",
        data.display()
    );
    let mut checks = vec![folder(data), password(data), metrics(config)];
    match Installation::open(data, config, Arc::new(Hub::default())).await {
        Ok(open) => {
            checks.push((
                "D-1",
                "keys and secrets are sealed and the key ring opens them",
                Verdict::Good(String::new()),
            ));
            checks.push(database(&*open.store, config).await);
            checks.push(audit(&open).await);
            checks.push(sandbox(&*open.store).await);
        }
        Err(error) => {
            checks.push(("D-1", "the installation opens", Verdict::Bad(format!("{error:#}"))))
        }
    }
    let mut sound = true;
    for (control, what, verdict) in checks {
        let (mark, detail) = match verdict {
            Verdict::Good(detail) => ("ok  ", detail),
            Verdict::Look(detail) => ("look", detail),
            Verdict::Bad(detail) => {
                sound = false;
                ("FAIL", detail)
            }
        };
        let dash = if detail.is_empty() { "" } else { ": " };
        say(&format!("{mark}  {control:<5} {what}{dash}{detail}"))?;
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

type Check = (&'static str, &'static str, Verdict);

fn folder(data: &Path) -> Check {
    let what = "the data folder is its owner's alone";
    match installation::private_folder(data) {
        Ok(()) => ("D-1", what, Verdict::Good(String::new())),
        Err(error) => ("D-1", what, Verdict::Bad(format!("{error:#}"))),
    }
}

fn password(data: &Path) -> Check {
    let file = data.join(installation::PASSWORD_FILE);
    let verdict = if is_there(&file) {
        Verdict::Look(format!(
            "{} is still there: sign in, keep it safe, delete the file",
            file.display()
        ))
    } else {
        Verdict::Good(String::new())
    };
    ("I-5", "the first password does not lie about", verdict)
}

fn metrics(config: &Config) -> Check {
    let verdict = match config.address("listen_metrics") {
        Ok(Some(address)) if !address.ip().is_loopback() => {
            Verdict::Look(format!("they listen on {address}: a firewall must keep others out"))
        }
        Ok(_) => Verdict::Good(String::new()),
        Err(error) => Verdict::Bad(format!("{error:#}")),
    };
    ("N-12", "metrics are not open to the network", verdict)
}

async fn database(store: &dyn Store, config: &Config) -> Check {
    let what = "the database answers and has this version's schema";
    let verdict = match store.health().await {
        Ok(health) => {
            Verdict::Good(format!("{} {}, schema {}", health.engine, health.version, health.schema))
        }
        Err(error) => Verdict::Bad(error.to_string()),
    };
    let plain = config.text("postgres_tls_mode").is_some_and(|mode| mode != "verify-full");
    match verdict {
        Verdict::Good(detail) if plain => {
            ("D-3", what, Verdict::Look(format!("{detail}; postgres_tls_mode is not verify-full")))
        }
        verdict => ("D-3", what, verdict),
    }
}

/// Reads the whole log and compares it with the last signed checkpoint.
async fn audit(open: &Installation) -> Check {
    let what = "the audit log is as it was signed";
    let verdict = match verify(open).await {
        Ok(Ok(records)) => Verdict::Good(format!("{records} records")),
        Ok(Err(finding)) => Verdict::Bad(finding),
        Err(error) => Verdict::Bad(format!("{error:#}")),
    };
    ("W-2", what, verdict)
}

async fn verify(open: &Installation) -> anyhow::Result<Result<u64, String>> {
    let Some(last) = open.store.last_checkpoint().await? else { return Ok(Ok(0)) };
    let key = open.signer.verifier_key();
    let signed = match wardroom_trust::checkpoint::verify(&last.note, &key) {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(format!("the last checkpoint is not acceptable: {error}"))),
    };
    let mut tree = merkle::Frontier::default();
    while tree.size() < signed.size {
        let end = (tree.size() + 5000).min(signed.size);
        let entries = open.store.read_audit(tree.size()..end).await?;
        if entries.is_empty() {
            return Ok(Err(format!("record {} is missing", tree.size())));
        }
        for entry in entries {
            let hash = merkle::leaf_hash(entry.body.as_bytes());
            if entry.index != tree.size() || hash != entry.leaf {
                return Ok(Err(format!("record {} was altered or removed", tree.size())));
            }
            tree.append(hash);
        }
    }
    Ok(if tree.root() == signed.root {
        Ok(tree.size())
    } else {
        Err("the records do not make the signed root".to_owned())
    })
}

async fn sandbox(store: &dyn Store) -> Check {
    let what = "every node enforces its sandbox";
    let nodes = match store.list_nodes(PageRequest::new(None, 200)).await {
        Ok(nodes) => nodes.items,
        Err(error) => return ("E-2", what, Verdict::Bad(error.to_string())),
    };
    let missing: Vec<String> = nodes
        .iter()
        .filter_map(|node| {
            let report = node.report.as_ref()?;
            let lacks: Vec<&str> = report
                .sandbox
                .iter()
                .filter(|(_, has)| !**has)
                .map(|(name, _)| name.as_str())
                .collect();
            (!lacks.is_empty()).then(|| format!("{} lacks {}", node.name, lacks.join(", ")))
        })
        .collect();
    let verdict = if missing.is_empty() {
        Verdict::Good(format!("{} nodes", nodes.len()))
    } else {
        Verdict::Look(missing.join("; "))
    };
    ("E-2", what, verdict)
}
