//! `wardroom config explain`: each setting that holds, and where it came from.

use super::{Config, SETTINGS, secrets};
use crate::output::{Output, Table};
use serde::Serialize;
use std::process::ExitCode;

/// A setting that holds.
#[derive(Debug, Serialize)]
struct Effective {
    name: &'static str,
    value: String,
    from: String,
}

impl Config {
    fn effective(&self) -> Vec<Effective> {
        let one = |setting: &super::Setting| {
            let (value, from) = match self.values.get(setting.name) {
                Some((value, source)) => (value.as_str(), source.to_string()),
                None => (setting.default.unwrap_or_default(), "default".to_owned()),
            };
            let value = secrets::shown(setting.name, value);
            Effective { name: setting.name, value, from }
        };
        SETTINGS.iter().map(one).collect()
    }

    /// Prints them.
    pub(crate) fn explain(&self, output: &Output) -> anyhow::Result<ExitCode> {
        let effective = self.effective();
        let printed = if output.json {
            output.json(&effective)
        } else {
            let mut table = Table::new(&["SETTING", "VALUE", "FROM"]);
            for setting in effective {
                let value = if setting.value.is_empty() { "-".to_owned() } else { setting.value };
                table.row([setting.name.to_owned(), value, setting.from]);
            }
            output.table(&table)
        };
        printed.map_err(|failure| anyhow::anyhow!("{failure}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
