//! `wardroom doctor`: looks at this installation, not at a checklist.

mod local;

pub(crate) use local::checks as local_checks;

use crate::{
    config::Config,
    output::{Output, Table},
    serve::installation::{self, Installation},
};
use std::{path::Path, process::ExitCode, sync::Arc};
use wardroom_core::{audit::merkle, store::Store};
use wardroom_engine::hub::Hub;
use wardroom_server::posture::{Check, posture, sorted};
use wardroom_wire::security::CheckView;

/// Checks everything that can be checked from here.
pub(crate) async fn run(data: &Path, config: &Config, output: &Output) -> anyhow::Result<ExitCode> {
    installation::must_be_there(data)?;
    let mut local = local_checks(data, config);
    let title = "The key ring opens what is sealed";
    let checks = match Installation::open(data, config, Arc::new(Hub::default())).await {
        Ok(open) => {
            local.push(Check::demand("D-1", title, true, "", ""));
            local.push(audit(&open).await);
            posture(&*open.store, &config.delivery()?.outlets(), local).await
        }
        Err(error) => {
            let fix = "Bring back what is missing: nothing is made anew where there is data.";
            local.push(Check::demand("D-1", title, false, format!("{error:#}"), fix));
            sorted(local)
        }
    };
    let views: Vec<CheckView> = checks.into_iter().map(Check::view).collect();
    print(output, &views)?;
    let failed = views.iter().any(|check| check.verdict == "fail");
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Prints the lines.
pub(crate) fn print(output: &Output, checks: &[CheckView]) -> anyhow::Result<()> {
    let printed = if output.json {
        output.json(&checks)
    } else {
        let mut table = Table::new(&["", "CONTROL", "WHAT", "FOUND"]);
        for check in checks {
            let mark = match check.verdict.as_str() {
                "pass" => "ok",
                "fail" => "FAIL",
                "attest" => "attest",
                _ => "-",
            };
            let found = [check.detail.as_str(), check.fix.as_str()];
            let found: Vec<&str> = found.into_iter().filter(|text| !text.is_empty()).collect();
            table.row([
                mark.to_owned(),
                check.control.clone(),
                check.title.clone(),
                found.join(". "),
            ]);
        }
        output.table(&table)
    };
    printed.map_err(|failure| anyhow::anyhow!("{failure}"))
}

/// Reads the whole log and compares it with the last signed checkpoint.
async fn audit(open: &Installation) -> Check {
    let title = "The audit log is as it was signed";
    let fix =
        "Keep the database as it is and compare it with exports and checkpoints kept elsewhere.";
    match verify(open).await {
        Ok(Ok(records)) => Check::demand("W-2", title, true, format!("{records} records"), fix),
        Ok(Err(finding)) => Check::demand("W-2", title, false, finding, fix),
        Err(error) => Check::demand("W-2", title, false, format!("{error:#}"), fix),
    }
}

async fn verify(open: &Installation) -> anyhow::Result<Result<u64, String>> {
    let store: &dyn Store = &*open.store;
    let Some(last) = store.last_checkpoint().await? else { return Ok(Ok(0)) };
    let key = open.signer.verifier_key();
    let signed = match wardroom_trust::checkpoint::verify(&last.note, &key) {
        Ok(signed) => signed,
        Err(error) => return Ok(Err(format!("the last checkpoint is not acceptable: {error}"))),
    };
    let mut tree = merkle::Frontier::default();
    while tree.size() < signed.size {
        let end = (tree.size() + 5000).min(signed.size);
        let entries = store.read_audit(tree.size()..end).await?;
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
