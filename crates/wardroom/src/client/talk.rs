//! What an agent does and says, told at the terminal as it comes; what it asks is put to whoever sits there.

use super::{
    Api, Exit, Failure,
    http::segment,
    stream::{RunStream, Told},
};
use crate::output::{Output, Progress, Sink, printable, printable_lines, put_question, typed};
use serde_json::Value;
use std::{
    io::{IsTerminal as _, stdin, stdout},
    sync::Arc,
    time::Duration,
};
use tokio::sync::oneshot;
use wardroom_wire::{
    agents::{RunAnswer, StepView},
    api::RunView,
    approvals::{ApprovalDecision, ApprovalDetail, ApprovalView},
    threads::SayingView,
};

/// What of a result is told on the way, in characters.
const GLANCE_CHARS: usize = 160;
/// How often an answer is given that the run does not wait for yet, and the pause between.
const ANSWER_TRIES_MAX: u32 = 20;
const ANSWER_PAUSE: Duration = Duration::from_secs(1);

/// Somebody at the terminal who follows runs.
pub(super) struct Talk<'a> {
    api: &'a Arc<Api>,
    output: &'a Output,
    progress: Progress,
    /// Whether what is said is shown as it comes.
    live: bool,
    /// What was shown of what is being said.
    shown: String,
    /// Whether the last thing that was said was shown wholly.
    said: bool,
}

impl<'a> Talk<'a> {
    /// Whoever sits at this terminal.
    pub(super) fn new(api: &'a Arc<Api>, output: &'a Output) -> Self {
        Self {
            api,
            output,
            progress: Progress::new(output),
            live: !output.json && stdout().is_terminal(),
            shown: String::new(),
            said: false,
        }
    }

    /// Whether the answer was shown as it came.
    pub(super) const fn has_said(&self) -> bool {
        self.said
    }

    /// Follows a run to its end; its steps.
    pub(super) async fn follow(&mut self, run: &str) -> Result<Vec<StepView>, Failure> {
        let mut stream = RunStream::of(run)?;
        let mut all: Vec<StepView> = vec![];
        self.said = false;
        loop {
            if self.shown.is_empty() {
                self.progress.show("\u{2026} it works");
            }
            let progress = &mut self.progress;
            let half_said = !self.shown.is_empty();
            let mut lost = |what: &str| match half_said {
                // The line is not empty: it would be drawn over.
                true => {}
                false => progress.show(&format!("\u{2026} {what}; trying again")),
            };
            let told = stream.next(self.api, &mut lost).await?;
            self.progress.clear();
            match told {
                Told::End => {
                    self.break_off()?;
                    return Ok(all);
                }
                Told::Saying(saying) => self.hear(&saying)?,
                Told::Step(step) => {
                    self.take(run, &step).await?;
                    all.push(*step);
                }
            }
        }
    }

    async fn take(&mut self, run: &str, step: &StepView) -> Result<(), Failure> {
        if step.kind == "answered" {
            self.hear_out(step.text.as_deref().unwrap_or_default())?;
        }
        if !self.output.json || step.kind == "waits" {
            tell(self.output, run, step);
        }
        if let Some(text) = answers(self.output, step).await? {
            answer(self.api, run, step, text).await?;
        }
        self.consent(step).await
    }

    /// Shows more of what is being said.
    fn hear(&mut self, saying: &SayingView) -> Result<(), Failure> {
        if !self.live {
            return Ok(());
        }
        let whole = match saying.whole {
            true => saying.text.clone(),
            false => format!("{}{}", self.shown, saying.text),
        };
        self.show(whole)
    }

    /// It is said to the end.
    fn hear_out(&mut self, text: &str) -> Result<(), Failure> {
        if !self.live || text.trim().is_empty() {
            return Ok(());
        }
        self.show(text.to_owned())?;
        self.said = true;
        self.shown.clear();
        self.output.write(Sink::Out, b"\n")
    }

    /// What was half said is not said to the end.
    fn break_off(&mut self) -> Result<(), Failure> {
        if self.shown.is_empty() {
            return Ok(());
        }
        self.shown.clear();
        self.output.write(Sink::Out, b"\n")
    }

    /// Shows what is not shown yet of `whole`; all of it, on a line of its own, where it begins otherwise.
    fn show(&mut self, whole: String) -> Result<(), Failure> {
        let begun = !self.shown.is_empty();
        let more = match whole.strip_prefix(self.shown.as_str()) {
            Some(more) => printable_lines(more),
            None if begun => format!("\n{}", printable_lines(&whole)),
            None => printable_lines(&whole),
        };
        self.shown = whole;
        self.output.write(Sink::Out, more.as_bytes())
    }

    /// Puts a call that waits for consent to whoever sits there, where they may decide.
    async fn consent(&self, step: &StepView) -> Result<(), Failure> {
        let Some(approval) = step.approval.as_deref().filter(|_| step.kind == "waits") else {
            return Ok(());
        };
        if self.output.json || !stdin().is_terminal() {
            return Ok(());
        }
        let path = format!("/api/v1/approvals/{}", segment(approval)?);
        let detail: ApprovalDetail = self.api.get(&path, &vec![]).await?;
        let arguments = detail.arguments.as_ref().map(ToString::to_string).unwrap_or_default();
        // SECURITY: nobody can type what they were not shown: a model that asks for a word beforehand gets no consent by it.
        let code: String = approval.chars().skip(approval.len().saturating_sub(4)).collect();
        let question = format!(
            "{} of {} with {arguments}: «{code}» approves it, «no» refuses it, Enter leaves it to others: ",
            detail.approval.action, detail.approval.target
        );
        let what = match line(&question).await?.unwrap_or_default().trim() {
            typed if typed == code => "approve",
            "no" => "deny",
            _ => return Ok(()),
        };
        let body = ApprovalDecision { reason: String::new() };
        match self.api.post::<ApprovalView>(&format!("{path}/{what}"), &body).await {
            Ok(_) => {}
            Err(failure) => self.output.note(&format!("it stays as it is: {}", failure.what)),
        }
        Ok(())
    }
}

/// Lines that are typed. What waits for one is a thread of its own, which holds nobody up who leaves; it goes on waiting,
/// and what it reads then is the answer to whatever is asked by then.
static TYPED: tokio::sync::Mutex<Option<oneshot::Receiver<Typed>>> =
    tokio::sync::Mutex::const_new(None);

type Typed = Result<Option<String>, Failure>;

/// A line that is typed, and nothing at the end of input or where somebody leaves by Ctrl-C.
pub(super) async fn line(question: &str) -> Typed {
    put_question(question)?;
    let mut waiting = TYPED.lock().await;
    let from = waiting.get_or_insert_with(|| {
        let (to, from) = oneshot::channel();
        std::thread::spawn(move || to.send(typed()));
        from
    });
    tokio::select! {
        said = from => {
            *waiting = None;
            said.map_err(|_| Failure::local("the terminal can't be read".to_owned()))?
        }
        left = tokio::signal::ctrl_c() => left.map(|()| None).map_err(|error| {
            Failure::local(format!("Ctrl-C can't be listened for: {error}"))
        }),
    }
}

/// Says what the agent does.
fn tell(output: &Output, run: &str, step: &StepView) {
    let glance = |text: &str| {
        let line: String =
            text.chars().map(|c| if c == '\n' { ' ' } else { c }).take(GLANCE_CHARS).collect();
        printable(&line).into_owned()
    };
    let text = step.text.as_deref().unwrap_or_default();
    let call = printable(step.call.as_deref().unwrap_or_default());
    match step.kind.as_str() {
        "answered" => {
            for call in &step.calls {
                let arguments = Value::Object(call.arguments.clone()).to_string();
                output.note(&format!("calls {} {}", printable(&call.name), glance(&arguments)));
            }
        }
        "returned" if step.is_error == Some(true) => {
            output.note(&format!("it failed: {}", glance(text)))
        }
        "returned" => {
            let held = step.held.as_deref().map(|name| format!(", held back as {}", printable(name)));
            output.note(&format!("it gave back{}: {}", held.unwrap_or_default(), glance(text)));
        }
        "waits" => match step.waits_for.as_deref() {
            Some("consent") => output.note(&format!(
                "it waits for a person's approval: `wardroom approval show {}`",
                step.approval.as_deref().unwrap_or_default()
            )),
            Some("doubt") => output.note(&format!(
                "nobody knows what came of a call: look, and say it with `wardroom runs answer {run} {call} \"\u{2026}\"`"
            )),
            Some("run") => output.note(&format!(
                "it waits for the run {}",
                step.run.as_deref().unwrap_or_default()
            )),
            Some("answer") if output.json || !stdin().is_terminal() => output.note(&format!(
                "it asks: {} \u{2014} answer with `wardroom runs answer {run} {call} \"\u{2026}\"`",
                glance(text)
            )),
            _ => {}
        },
        _ => {}
    }
}

/// What the person at the terminal says to a question.
async fn answers(output: &Output, step: &StepView) -> Result<Option<String>, Failure> {
    let asks = step.kind == "waits" && step.waits_for.as_deref() == Some("answer");
    if !asks || output.json || !stdin().is_terminal() {
        return Ok(None);
    }
    let question = printable(step.text.as_deref().unwrap_or_default()).into_owned();
    let question = format!("{question} ");
    let said = line(&question).await?;
    Ok(said.filter(|said| !said.trim().is_empty()))
}

async fn answer(api: &Api, run: &str, step: &StepView, text: String) -> Result<(), Failure> {
    let call = step.call.clone().unwrap_or_default();
    let body = RunAnswer { call, text: Some(text), again: false };
    let path = format!("/api/v1/runs/{}/answers", segment(run)?);
    let mut tries = 1;
    loop {
        match api.post::<RunView>(&path, &body).await {
            Ok(_) => return Ok(()),
            // Calls beside it are still under way, or somebody answered it elsewhere, or stopped it.
            Err(failure) if failure.exit == Exit::Conflict && tries < ANSWER_TRIES_MAX => {
                let path = format!("/api/v1/runs/{}", segment(run)?);
                if api.get::<RunView>(&path, &vec![]).await?.terminal {
                    return Ok(());
                }
                tries += 1;
                tokio::time::sleep(ANSWER_PAUSE).await;
            }
            Err(failure) => return Err(failure),
        }
    }
}
