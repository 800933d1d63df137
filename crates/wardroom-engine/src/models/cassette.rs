//! Cassettes: answers of a provider that are kept in files, and given again when the same is asked.

use super::broken;
use async_trait::async_trait;
use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use std::{collections::VecDeque, io, path::PathBuf, sync::Arc};
use wardroom_core::model::{
    Ask, Event, ModelFailure, ModelFailureKind as Kind, ModelProvider, Pieces, Question,
};

/// The longest recording, in bytes.
const RECORDING_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a cassette is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CassetteMode {
    /// Whatever is answered is kept.
    Record,
    /// Only what was kept is answered; nobody is asked.
    Replay,
}

/// A recording: what was asked, and what came.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Recording {
    ask: Ask,
    events: Vec<Event>,
}

/// A provider behind a cassette. SECURITY: recordings have in them what was asked, as it was asked: they are for tests.
pub struct Cassette {
    mode: CassetteMode,
    folder: PathBuf,
    inner: Arc<dyn ModelProvider>,
}

impl Cassette {
    /// One that keeps its recordings in this folder.
    pub fn new(mode: CassetteMode, folder: PathBuf, inner: Arc<dyn ModelProvider>) -> Self {
        Self { mode, folder, inner }
    }

    /// The file of a question: what is asked names it.
    fn file(&self, ask: &Ask) -> Result<PathBuf, ModelFailure> {
        let text = serde_json::to_vec(ask).map_err(|error| broken(&error.to_string()))?;
        let digest = HEXLOWER.encode(digest::digest(&digest::SHA256, &text).as_ref());
        Ok(self.folder.join(format!("{}.json", digest.get(..32).unwrap_or(&digest))))
    }
}

fn unkept(error: &io::Error) -> ModelFailure {
    ModelFailure::new(Kind::Invalid, format!("the recording can't be kept: {error}"))
}

/// Reads a recording; nothing where there is none.
async fn read(file: &PathBuf) -> Result<Option<Recording>, ModelFailure> {
    let damaged = |why: String| {
        ModelFailure::new(Kind::Invalid, format!("the recording {} {why}", file.display()))
    };
    match tokio::fs::metadata(file).await {
        Ok(about) if about.len() > RECORDING_BYTES_MAX => {
            return Err(damaged("is too long".to_owned()));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(damaged(format!("can't be read: {error}"))),
    }
    let text = tokio::fs::read(file).await;
    let text = text.map_err(|error| damaged(format!("can't be read: {error}")))?;
    let recording = serde_json::from_slice(&text);
    recording.map(Some).map_err(|error| damaged(format!("is none: {error}")))
}

#[async_trait]
impl ModelProvider for Cassette {
    async fn ask(&self, question: Question<'_>) -> Result<Box<dyn Pieces>, ModelFailure> {
        let file = self.file(question.ask)?;
        match self.mode {
            CassetteMode::Replay => {
                let recording = read(&file).await?.ok_or_else(|| {
                    let why = format!("nothing is recorded for this question: {}", file.display());
                    ModelFailure::new(Kind::Invalid, why)
                })?;
                Ok(Box::new(Replayed(recording.events.into())))
            }
            CassetteMode::Record => {
                let inner = self.inner.ask(question).await?;
                let recording = Recording { ask: question.ask.clone(), events: vec![] };
                Ok(Box::new(Recorded { inner, file, recording }))
            }
        }
    }
}

struct Replayed(VecDeque<Event>);

#[async_trait]
impl Pieces for Replayed {
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        self.0.pop_front().ok_or_else(|| broken("the recording has no end"))
    }
}

struct Recorded {
    inner: Box<dyn Pieces>,
    file: PathBuf,
    recording: Recording,
}

#[async_trait]
impl Pieces for Recorded {
    async fn next(&mut self) -> Result<Event, ModelFailure> {
        let event = self.inner.next().await?;
        self.recording.events.push(event.clone());
        if matches!(event, Event::End { .. }) {
            let text = serde_json::to_vec_pretty(&self.recording);
            let text = text.map_err(|error| broken(&error.to_string()))?;
            // What is half written is no recording.
            let half = self.file.with_extension("part");
            tokio::fs::write(&half, text).await.map_err(|error| unkept(&error))?;
            tokio::fs::rename(&half, &self.file).await.map_err(|error| unkept(&error))?;
        }
        Ok(event)
    }
}
