//! The reference documents that the program writes about itself: settings and API.

use crate::{
    config::{ALIASES, Meaning, SETTINGS},
    output::Output,
};
use anyhow::{Context as _, bail};
use clap::Args;
use std::{fs, path::PathBuf, process::ExitCode};
use wardroom_core::Clock as _;
use wardroom_trust::ambient::SystemClock;

/// What `wardroom docs` takes.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// Write into this folder
    #[arg(long)]
    write: Option<PathBuf>,
    /// Compare with this folder; exit code 1 when it differs
    #[arg(long, conflicts_with = "write")]
    check: Option<PathBuf>,
}

impl Docs {
    /// Writes, compares, or prints the settings.
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let files = [
            ("configuration.md", configuration()),
            ("openapi.json", wardroom_server::openapi_json()),
            ("agent.schema.json", format!("{:#}\n", wardroom_engine::agents::schema())),
        ];
        match (&self.write, &self.check) {
            (Some(folder), _) => {
                fs::create_dir_all(folder)
                    .with_context(|| format!("{} can't be made", folder.display()))?;
                for (name, text) in files {
                    fs::write(folder.join(name), text)
                        .with_context(|| format!("{name} can't be written"))?;
                }
            }
            (None, Some(folder)) => {
                for (name, text) in files {
                    if fs::read_to_string(folder.join(name)).unwrap_or_default() != text {
                        bail!("{} is out of date: run ./dev docs", folder.join(name).display());
                    }
                }
            }
            (None, None) => Output::detect(false, SystemClock.now())
                .text(&configuration())
                .map_err(|failure| anyhow::anyhow!("{failure}"))?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn configuration() -> String {
    let mut text = String::from(
        "# Settings\n\nEach setting may stand in `wardroom.toml` in the data folder (or the file that `--config` names), \
         in the environment, or on the command line as `--set name=value`; the later goes before the earlier. \
         An unknown name in the file is an error.\n\n| setting | environment | default | meaning |\n|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let default = setting.default.map_or_else(String::new, |default| format!("`{default}`"));
        text.push_str(&format!(
            "| `{}` | `{}` | {default} | {} |\n",
            setting.name,
            setting.environment(),
            setting.about
        ));
    }
    text.push_str(
        "\n## Names of other systems\n\nThese names in the environment set what they set elsewhere, in that system's units. \
         One that says something else than our own name, or than another alias, is an error that names both; so is one \
         whose value can't be had. `wardroom config explain` shows what holds and where it came from.\n\n\
         | name | sets |\n|---|---|\n",
    );
    for alias in ALIASES {
        let sets = match alias.meaning {
            Meaning::Same(setting) => format!("`{setting}`"),
            Meaning::Times(setting, factor) => format!("`{setting}`, {factor} for each"),
            Meaning::Divided(setting, divisor) => format!("`{setting}`, one for each {divisor}"),
            Meaning::OffIsZero(setting) => format!("`{setting} = 0` where it is false"),
            Meaning::Only(only, why) => format!("nothing: only `{only}` is possible, {why}"),
            Meaning::Nothing(instead) => format!("an error: {instead}"),
        };
        text.push_str(&format!("| `{}` | {sets} |\n", alias.name));
    }
    text
}
