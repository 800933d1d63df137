//! Sample agents for a first look. A script answers for them, so that they work without any key.

use crate::serve::installation::write_private;
use std::path::Path;
use wardroom_core::{Origin, Principal, audit::AuditDraft};
use wardroom_engine::{Engine, agents::Proposal};

/// Where settings look for providers of models when they name no other file.
pub(super) const MODELS_FILE: &str = "models.toml";
const MODELS: &str = include_str!("samples/models.toml");
/// The script that [`MODELS`] names.
const SCRIPT_FILE: &str = "samples.yaml";
const SCRIPT: &str = include_str!("samples/samples.yaml");
/// By name.
const AGENTS: [(&str, &str); 3] = [
    ("guide", include_str!("samples/guide.yaml")),
    ("lookout", include_str!("samples/lookout.yaml")),
    ("first-mate", include_str!("samples/first-mate.yaml")),
];

/// The names of all.
pub(super) fn names() -> String {
    AGENTS.map(|(name, _)| name).join(", ")
}

/// Names a provider for them, unless a file that names providers is there already.
pub(super) fn provide(data: &Path) -> anyhow::Result<()> {
    let models = data.join(MODELS_FILE);
    if models.exists() {
        return Ok(());
    }
    write_private(&data.join(SCRIPT_FILE), SCRIPT.as_bytes(), 0o644)?;
    write_private(&models, MODELS.as_bytes(), 0o644)
}

/// Defines them.
pub(super) async fn define(engine: &Engine) -> anyhow::Result<()> {
    let author = super::smoke::admin(engine).await?.id;
    for (name, text) in AGENTS {
        let (name, text) = (name.to_owned(), text.to_owned());
        let note = "A sample".to_owned();
        let proposal = Proposal { name, text, note, base: Some(String::new()), author };
        let now = engine.now();
        let audit = AuditDraft::event("agent.update", &Principal::System, &Origin::CONSOLE, now);
        engine.put_agent(proposal, audit).await?;
    }
    Ok(())
}
