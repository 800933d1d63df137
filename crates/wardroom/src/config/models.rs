//! Who runs language models: a file of its own that names providers, their keys, what they cost, and routes.

use super::{
    Config,
    model_prices::{self, PriceEntry},
};
use anyhow::{Context as _, bail, ensure};
use secrecy::SecretString;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use wardroom_core::{
    agent::ModelName,
    model::{ModelProvider, Prices},
    secret,
};
use wardroom_engine::models::{
    Api, Cassette, CassetteMode, HttpProvider, KeySource, Keys, Models, Provider, ProviderParts,
    ReadKey, Script, openai::Dialect,
};
use wardroom_server::{BreakerRules, Outbound};

/// The longest file, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Providers and routes that a file may name, and models in a route.
const PROVIDERS_MAX: usize = 100;
const ROUTES_MAX: usize = 1000;
const CHAIN_MAX: usize = 6;
/// Questions at the same time where nothing is said.
const PARALLEL: u32 = 32;
/// The version of Anthropic's API where none is named.
const ANTHROPIC_VERSION: &str = "2023-06-01";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// By which the ledger tells with which prices it counted.
    #[serde(default)]
    prices: Option<String>,
    #[serde(default)]
    provider: Vec<ProviderEntry>,
    #[serde(default)]
    route: Vec<RouteEntry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    Openai,
    Compatible,
    Anthropic,
    Bedrock,
    Scripted,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Openai => "openai",
            Self::Compatible => "compatible",
            Self::Anthropic => "anthropic",
            Self::Bedrock => "bedrock",
            Self::Scripted => "scripted",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderEntry {
    name: String,
    kind: Kind,
    url: Option<String>,
    key_file: Option<PathBuf>,
    key_env: Option<String>,
    key_secret: Option<String>,
    #[serde(default)]
    models: Vec<String>,
    parallel_max: Option<u32>,
    version: Option<String>,
    region: Option<String>,
    script: Option<PathBuf>,
    cassette: Option<CassetteEntry>,
    #[serde(default)]
    price: Vec<PriceEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CassetteEntry {
    mode: Mode,
    folder: PathBuf,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Record,
    Replay,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteEntry {
    name: String,
    models: Vec<String>,
}

/// What the file says, with its own folder: paths in it are from there.
#[derive(Debug, Default)]
pub(crate) struct ModelSettings {
    file: File,
    folder: PathBuf,
}

/// What providers are put together with.
pub(crate) struct ModelParts {
    /// Asks the outside.
    pub(crate) outbound: Outbound,
    /// Reads named secrets.
    pub(crate) keys: Keys,
    /// When a provider is left alone.
    pub(crate) breaker: BreakerRules,
}

impl Config {
    /// How long what questions to models took is kept.
    pub(crate) fn model_calls_kept(&self) -> anyhow::Result<Duration> {
        let days: u64 = self.within("model_call_days", 1..=3650)?;
        Ok(Duration::from_secs(days * 86_400))
    }

    /// What the file about models says; nothing where there is none.
    pub(crate) fn models(&self) -> anyhow::Result<ModelSettings> {
        let implied = self.data().join("models.toml");
        let path = match self.path("models_file") {
            Some(path) => path,
            None if implied.exists() => implied,
            None => return Ok(ModelSettings::default()),
        };
        ModelSettings::read(&path).with_context(|| format!("models_file {}", path.display()))
    }
}

impl ModelSettings {
    fn read(path: &Path) -> anyhow::Result<Self> {
        ensure!(
            fs::metadata(path).context("it can't be read")?.len() <= FILE_BYTES_MAX,
            "it is longer than {FILE_BYTES_MAX} bytes"
        );
        let text = fs::read_to_string(path).context("it can't be read")?;
        // SECURITY: a key that somebody wrote into it by mistake is not repeated.
        let file = toml::from_str(&text).map_err(|error| match error.span() {
            Some(span) => {
                let line = text.get(..span.start).unwrap_or_default().lines().count().max(1);
                anyhow::anyhow!("line {line}: {}", error.message())
            }
            None => anyhow::anyhow!("{}", error.message()),
        })?;
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let settings = Self { file, folder };
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> anyhow::Result<()> {
        let File { provider: providers, route: routes, .. } = &self.file;
        ensure!(providers.len() <= PROVIDERS_MAX, "it names more than {PROVIDERS_MAX} providers");
        ensure!(routes.len() <= ROUTES_MAX, "it names more than {ROUTES_MAX} routes");
        let mut names = BTreeSet::new();
        for provider in providers {
            let name = &provider.name;
            ensure!(is_name(name), "{name:?} is no name of a provider: a-z 0-9 -, a letter first");
            ensure!(names.insert(name), "two providers are called {name}");
            provider.check().with_context(|| format!("provider {name}"))?;
            self.prices(provider).with_context(|| format!("provider {name}"))?;
        }
        let mut taken = BTreeSet::new();
        for route in routes {
            let name = &route.name;
            ensure!(taken.insert(name), "two routes are called {name}");
            ensure!(
                !name.is_empty() && !name.contains('/'),
                "{name:?} is no name of a route: it has no slash"
            );
            ensure!(
                (1..=CHAIN_MAX).contains(&route.models.len()),
                "route {name}: it leads to 1 to {CHAIN_MAX} models"
            );
            for model in &route.models {
                let (provider, _) = split(model)
                    .with_context(|| format!("route {name}: {model:?} is no PROVIDER/MODEL"))?;
                ensure!(
                    names.iter().any(|known| known.as_str() == provider),
                    "route {name}: there is no provider {provider:?}"
                );
            }
        }
        Ok(())
    }

    fn prices(&self, entry: &ProviderEntry) -> anyhow::Result<Prices> {
        model_prices::prices(entry.kind, self.file.prices.as_deref(), &entry.price)
    }

    /// Puts the providers together.
    pub(crate) fn build(&self, parts: &ModelParts) -> anyhow::Result<Models> {
        let provider = |entry: &ProviderEntry| {
            self.provider(entry, parts).with_context(|| format!("provider {}", entry.name))
        };
        let providers = self.file.provider.iter().map(provider);
        let providers = providers.collect::<anyhow::Result<Vec<_>>>()?;
        let route = |entry: &RouteEntry| {
            let chain = entry.models.iter().filter_map(|model| {
                let (provider, name) = split(model)?;
                Some(ModelName { provider: provider.to_owned(), name: name.to_owned() })
            });
            (entry.name.clone(), chain.collect())
        };
        let routes: BTreeMap<_, _> = self.file.route.iter().map(route).collect();
        Ok(Models::new(providers, routes))
    }

    fn provider(&self, entry: &ProviderEntry, parts: &ModelParts) -> anyhow::Result<Arc<Provider>> {
        let key = self.key(entry)?;
        let inner = match entry.api() {
            None => {
                let path = self.folder.join(entry.script.as_deref().context("script is missing")?);
                let text = fs::read_to_string(&path)
                    .with_context(|| format!("script {} can't be read", path.display()))?;
                let script =
                    Script::read(&text).with_context(|| format!("script {}", path.display()))?;
                Arc::new(script) as Arc<dyn ModelProvider>
            }
            Some((api, url)) => {
                parts.outbound.check(&url)?;
                let (outbound, keys) = (parts.outbound.clone(), parts.keys.clone());
                Arc::new(HttpProvider::new(outbound, api, &url, key.clone(), keys))
            }
        };
        let inner = match &entry.cassette {
            None => inner,
            Some(cassette) => {
                let folder = self.folder.join(&cassette.folder);
                ensure!(folder.is_dir(), "cassette: {} is no folder", folder.display());
                let mode = match cassette.mode {
                    Mode::Record => CassetteMode::Record,
                    Mode::Replay => CassetteMode::Replay,
                };
                Arc::new(Cassette::new(mode, folder, inner))
            }
        };
        Ok(Provider::new(ProviderParts {
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            models: entry.models.clone(),
            prices: self.prices(entry)?,
            played: entry.cassette.is_some(),
            parallel_max: entry.parallel_max.unwrap_or(PARALLEL),
            breaker: parts.breaker,
            inner,
            key,
            clock: Arc::clone(&parts.keys.clock),
        }))
    }

    fn key(&self, entry: &ProviderEntry) -> anyhow::Result<KeySource> {
        let source = if let Some(name) = &entry.key_secret {
            KeySource::Secret(name.clone())
        } else if let Some(path) = &entry.key_file {
            let path = self.folder.join(path);
            let read: ReadKey = Arc::new(move || {
                let text = fs::read_to_string(&path).map_err(|error| {
                    format!("key_file {} can't be read: {error}", path.display())
                })?;
                Ok(SecretString::from(text.trim()))
            });
            // A mistake shows at the start and not in the night.
            read().map_err(|error| anyhow::anyhow!(error))?;
            KeySource::Outside(read)
        } else if let Some(name) = &entry.key_env {
            let text = std::env::var(name)
                .with_context(|| format!("key_env: there is no {name} in the environment"))?;
            let key = SecretString::from(text.trim());
            KeySource::Outside(Arc::new(move || Ok(key.clone())))
        } else {
            KeySource::Nothing
        };
        Ok(source)
    }
}

/// A provider's name and a model's in `PROVIDER/MODEL`.
fn split(text: &str) -> Option<(&str, &str)> {
    text.split_once('/').filter(|(provider, model)| !provider.is_empty() && !model.is_empty())
}

fn is_name(text: &str) -> bool {
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.len() <= 64
        && text.chars().all(sound)
}

impl ProviderEntry {
    fn check(&self) -> anyhow::Result<()> {
        let keys = [self.key_file.is_some(), self.key_env.is_some(), self.key_secret.is_some()];
        let keys = keys.into_iter().filter(|given| *given).count();
        ensure!(keys <= 1, "one of key_file, key_env and key_secret says where its key is");
        let named = self.key_secret.as_deref();
        ensure!(named.is_none_or(secret::is_name), "key_secret is the name of a secret");
        let parallel = self.parallel_max.unwrap_or(PARALLEL);
        ensure!((1..=10_000).contains(&parallel), "parallel_max must be 1 to 10000");
        match self.kind {
            Kind::Scripted => {
                ensure!(self.script.is_some(), "script names the file with its answers");
                ensure!(
                    keys == 0 && self.url.is_none(),
                    "a script is asked nowhere: it has neither url nor key"
                );
            }
            Kind::Bedrock => ensure!(
                self.region.as_deref().is_some_and(is_name),
                "region names the region, such as us-east-1"
            ),
            Kind::Compatible => ensure!(self.url.is_some(), "url says where it is"),
            Kind::Openai | Kind::Anthropic => {}
        }
        for (field, given, kind) in [
            ("script", self.script.is_some(), Kind::Scripted),
            ("region", self.region.is_some(), Kind::Bedrock),
            ("version", self.version.is_some(), Kind::Anthropic),
        ] {
            ensure!(
                !given || self.kind == kind,
                "{field} is for providers of the kind {}",
                kind.as_str()
            );
        }
        if matches!(self.kind, Kind::Openai | Kind::Anthropic | Kind::Bedrock) && keys == 0 {
            bail!("key_file, key_env or key_secret says where its key is");
        }
        Ok(())
    }

    /// What is spoken with it, and where; nothing for a script.
    fn api(&self) -> Option<(Api, String)> {
        let region = self.region.clone().unwrap_or_default();
        let (api, url) = match self.kind {
            Kind::Scripted => return None,
            Kind::Openai => (Api::Openai(Dialect::Openai), "https://api.openai.com/v1".to_owned()),
            Kind::Compatible => (Api::Openai(Dialect::Compatible), String::new()),
            Kind::Anthropic => {
                let version = self.version.clone().unwrap_or_else(|| ANTHROPIC_VERSION.to_owned());
                (Api::Anthropic { version }, "https://api.anthropic.com".to_owned())
            }
            Kind::Bedrock => {
                let url = format!("https://bedrock-runtime.{region}.amazonaws.com");
                (Api::Bedrock { region }, url)
            }
        };
        Some((api, self.url.clone().unwrap_or(url)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use wardroom_core::model::Usage;

    fn read(text: &str) -> anyhow::Result<ModelSettings> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("models.toml");
        fs::write(&path, text).unwrap();
        ModelSettings::read(&path)
    }

    const NEAR: &str =
        "[[provider]]\nname = \"near\"\nkind = \"compatible\"\nurl = \"http://127.0.0.1:1/v1\"\n";

    #[test]
    fn providers_prices_and_routes_are_read() {
        let text = format!(
            "prices = \"own 1\"\n{NEAR}[[provider.price]]\nmodel = \"small\"\ninput = 0.15\noutput = 0.6\n[[route]]\nname = \"fast\"\nmodels = [\"near/small\"]\n"
        );
        let settings = read(&text).unwrap();
        let near = settings.file.provider.first().unwrap();
        let prices = settings.prices(near).unwrap();
        assert_eq!(prices.version(), "own 1");
        let usage = Usage { input_tokens: 1000, output_tokens: 100, ..Usage::default() };
        assert_eq!(prices.of("small").unwrap().price.cost_micros(&usage), 150 + 60);
        assert_eq!(prices.of("other"), None, "nothing is known of what others run");
        let own =
            "[[provider]]\nname = \"far\"\nkind = \"anthropic\"\nkey_secret = \"anthropic\"\n";
        let settings = read(own).unwrap();
        let prices = settings.prices(settings.file.provider.first().unwrap()).unwrap();
        let of = |model| prices.of(model).map(|listed| (listed.price.input, listed.version));
        assert_eq!(of("claude-opus-5-5-20260922"), Some((4_000_000, model_prices::KNOWN_VERSION)));
        assert_eq!(of("claude-opus-5-20260724"), Some((5_000_000, model_prices::KNOWN_VERSION)));
        let resold =
            format!("{own}[[provider.price]]\nmodel = \"claude-*\"\ninput = 50.0\noutput = 90.0\n");
        let settings = read(&resold).unwrap();
        let prices = settings.prices(settings.file.provider.first().unwrap()).unwrap();
        let found = prices.of("claude-opus-5-5").unwrap();
        assert_eq!((found.price.input, found.version), (50_000_000, "models_file"));
    }

    #[test]
    fn mistakes_are_told_and_keys_are_not_repeated() {
        for (text, told) in [
            (
                "[[provider]]\nname = \"x\"\nkind = \"openai\"\nkey = \"sk-123456\"\n",
                "unknown field `key`",
            ),
            ("[[provider]]\nname = \"x\"\nkind = \"openai\"\n", "key_file, key_env or key_secret"),
            ("[[provider]]\nname = \"X\"\nkind = \"openai\"\n", "no name of a provider"),
            ("[[provider]]\nname = \"x\"\nkind = \"compatible\"\n", "url says where"),
            ("[[provider]]\nname = \"x\"\nkind = \"scripted\"\n", "script names the file"),
            ("[[provider]]\nname = \"x\"\nkind = \"bedrock\"\nkey_env = \"K\"\n", "region names"),
            (
                "[[provider]]\nname = \"x\"\nkind = \"compatible\"\nurl = \"u\"\nregion = \"r\"\n",
                "region is for providers of the kind bedrock",
            ),
            (
                "[[route]]\nname = \"fast\"\nmodels = [\"near/small\"]\n",
                "there is no provider \"near\"",
            ),
            ("[[route]]\nname = \"fast\"\nmodels = []\n", "leads to 1 to 6"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("sk-123456"), "{error}");
        }
        let twice = format!("{NEAR}{NEAR}");
        assert!(read(&twice).unwrap_err().to_string().contains("two providers"));
        let priced =
            format!("{NEAR}[[provider.price]]\nmodel = \"a\"\ninput = -1.0\noutput = 0.0\n");
        assert!(format!("{:#}", read(&priced).unwrap_err()).contains("a price is 0"));
    }
}
