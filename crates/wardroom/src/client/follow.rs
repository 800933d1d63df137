//! Follows a run to its end: its output byte for byte, then how it ended.

use super::{Api, Exit, Failure, http::segment, names::Names, watch::Watch};
use crate::output::{Output, Progress, Sink, TextStream};
use data_encoding::BASE64;
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use wardroom_wire::{
    api::{List, OutputPage, OutputView, RunView},
    link::Stream,
};

/// Failures to reach the orchestrator, one after another, before following gives up: with the pauses
/// below that is about a minute, enough for a restart.
const FAILURES_MAX: u32 = 15;
/// The pause after the first of them.
const FAILURE_PAUSE_MIN: Duration = Duration::from_millis(200);
/// The pause after later ones.
const FAILURE_PAUSE_MAX: Duration = Duration::from_secs(5);
/// How long a run may be queued before that is told.
const WAITING_NOTED: Duration = Duration::from_secs(3);
/// Children of a parent run that are followed.
const CHILDREN_MAX: u32 = 10_000;

/// How to follow.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Give a terminal the bytes as they are, escape sequences and all.
    pub(crate) raw: bool,
    /// Print what the run prints, not only wait for its end.
    pub(crate) show: bool,
    /// Ctrl-C asks for the run to be cancelled before it leaves.
    pub(crate) cancels: bool,
    /// Give up after this.
    pub(crate) timeout: Option<Duration>,
}

/// Follows `run` to its end, printing what it prints.
pub(crate) async fn follow(
    api: &Arc<Api>,
    output: &Output,
    run: RunView,
    options: Options,
) -> Result<RunView, Failure> {
    let mut follower = Follower::start(api, output, &run, options).await;
    let limit = options.timeout.map(|timeout| Instant::now() + timeout);
    let id = run.id.clone();
    let ended = tokio::select! {
        ended = follower.follow(run) => ended,
        () = until(limit) => Err(Failure::new(Exit::Unreachable, format!("run {id} is not over yet"))
            .advice("It goes on; look at it with `wardroom runs show`.")),
        left = interrupted(api, output, &id, options.cancels) => Err(left),
    };
    follower.finish()?;
    ended
}

/// The exit code that a run's end stands for.
pub(crate) fn exit_of(run: &RunView) -> Exit {
    if run.state == "succeeded" { Exit::Ok } else { Exit::Found }
}

/// One sentence on how a run ended.
pub(crate) fn ending(run: &RunView) -> String {
    let why =
        run.outcome.as_ref().map_or_else(String::new, |outcome| format!(": {}", outcome.message));
    format!("run {} {}{why}", run.id, run.state.replace('_', " "))
}

async fn until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

/// Waits for Ctrl-C: the first asks for the run to stop, the second leaves.
pub(super) async fn interrupted(
    api: &Arc<Api>,
    output: &Output,
    id: &str,
    cancels: bool,
) -> Failure {
    let leave = || Failure { silent: true, ..Failure::new(Exit::Interrupted, "left") };
    let broken =
        |error: std::io::Error| Failure::local(format!("Ctrl-C can't be listened for: {error}"));
    if let Err(error) = tokio::signal::ctrl_c().await {
        return broken(error);
    }
    if !cancels {
        return leave();
    }
    output.note("\u{2026} asking for the run to be cancelled; Ctrl-C again leaves it alone");
    let mut second = std::pin::pin!(tokio::signal::ctrl_c());
    let failed = tokio::select! {
        asked = ask_to_stop(api, id) => asked.err(),
        _ = &mut second => return leave(),
    };
    if let Some(failure) = failed {
        output.failure(&failure);
    }
    let _ = second.await;
    leave()
}

/// Waits for Ctrl-C, and asks for the run to stop then.
pub(super) async fn asked_to_stop(
    api: &Arc<Api>,
    output: &Output,
    id: &str,
) -> Result<(), Failure> {
    let broken =
        |error: std::io::Error| Failure::local(format!("Ctrl-C can't be listened for: {error}"));
    tokio::signal::ctrl_c().await.map_err(broken)?;
    output.note("\u{2026} asking for the run to be cancelled");
    // It may be over by now.
    match ask_to_stop(api, id).await {
        Err(failure) if failure.exit != Exit::Conflict => Err(failure),
        _ => Ok(()),
    }
}

async fn ask_to_stop(api: &Api, id: &str) -> Result<RunView, Failure> {
    api.act(&format!("/api/v1/runs/{}/cancel", segment(id)?), None).await
}

struct Follower<'a> {
    api: &'a Arc<Api>,
    output: &'a Output,
    options: Options,
    watch: Watch,
    progress: Progress,
    out: TextStream,
    err: TextStream,
    /// The terminal's line was begun and not ended: progress drawn over it would take output away.
    line_open: bool,
    patience: Patience,
}

/// Asks until there is an answer: a restart of the orchestrator ends no run either.
#[derive(Debug, Default)]
pub(super) struct Patience {
    failures: u32,
}

impl Patience {
    /// Asks; `told` hears of each failure.
    pub(super) async fn ask<T>(
        &mut self,
        api: &Arc<Api>,
        told: &mut impl FnMut(&str),
        ask: impl AsyncFn(&Arc<Api>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut pause = FAILURE_PAUSE_MIN;
        loop {
            match ask(api).await {
                Ok(answer) => {
                    self.failures = 0;
                    return Ok(answer);
                }
                Err(failure)
                    if failure.exit == Exit::Unreachable && self.failures < FAILURES_MAX =>
                {
                    self.failures += 1;
                    told(&failure.what);
                    sleep(pause).await;
                    pause = (pause * 2).min(FAILURE_PAUSE_MAX);
                }
                Err(failure) => return Err(failure),
            }
        }
    }
}

impl<'a> Follower<'a> {
    async fn start(api: &'a Arc<Api>, output: &'a Output, run: &RunView, options: Options) -> Self {
        let mut ids = vec![run.id.clone()];
        if run.all {
            ids.extend(
                children(api, &run.id).await.unwrap_or_default().into_iter().map(|child| child.id),
            );
        }
        let mut progress = Progress::new(output);
        progress.show(&said(run));
        let watch = Watch::start(api, ids).await;
        Self {
            api,
            output,
            options,
            watch,
            progress,
            out: TextStream::default(),
            err: TextStream::default(),
            line_open: false,
            patience: Patience::default(),
        }
    }

    async fn follow(&mut self, run: RunView) -> Result<RunView, Failure> {
        if run.all && self.options.show {
            let children = self.patiently(async |api| children(api, &run.id).await).await?;
            let nodes = children.iter().filter_map(|child| child.node.as_ref());
            let names = Names::of(self.api, nodes).await;
            for child in children {
                self.progress.clear();
                let node = names.name(child.node.as_deref().unwrap_or("?"));
                if !self.output.json {
                    self.output.note(&format!("==> node {node} (run {})", child.id));
                }
                let child = self.one(child).await?;
                if exit_of(&child) != Exit::Ok && !self.output.json {
                    self.output.note(&ending(&child));
                }
            }
        }
        self.one(run).await
    }

    /// One run, to its end.
    async fn one(&mut self, mut run: RunView) -> Result<RunView, Failure> {
        let id = segment(&run.id)?;
        let mut after: Option<String> = None;
        let (begun, mut told) = (Instant::now(), false);
        loop {
            // The state is read before the output: output that is complete then has its end as well.
            run = self
                .patiently(async |api| api.get(&format!("/api/v1/runs/{id}"), &vec![]).await)
                .await?;
            let mut complete = run.terminal;
            if self.options.show && !run.all {
                let (next, ended) = self.drain(&id, after).await?;
                after = next;
                complete = ended;
            }
            if run.terminal && complete {
                self.progress.clear();
                return Ok(run);
            }
            if !self.line_open {
                self.progress.show(&said(&run));
            }
            if run.state == "queued"
                && run.agent_version.is_none()
                && !told
                && begun.elapsed() > WAITING_NOTED
            {
                told = true;
                self.output.note(
                    "no node has taken the run yet; `wardroom node list` shows which are online",
                );
            }
            if run.state == "awaiting_approval" && !told {
                told = true;
                self.output.note(
                    "a person has to approve the run first; `wardroom approval list` shows it",
                );
            }
            self.watch.wait().await;
        }
    }

    /// Prints all output that is there; gives where to go on and whether that was all.
    async fn drain(
        &mut self,
        id: &str,
        mut after: Option<String>,
    ) -> Result<(Option<String>, bool), Failure> {
        loop {
            let query = after.clone().map(|after| ("after", after)).into_iter().collect();
            let page: OutputPage = self
                .patiently(async |api| api.get(&format!("/api/v1/runs/{id}/output"), &query).await)
                .await?;
            for chunk in &page.chunks {
                self.show(chunk)?;
            }
            let more = !page.chunks.is_empty();
            after = Some(page.next);
            if more {
                self.watch.progressed();
            } else {
                return Ok((after, page.complete));
            }
        }
    }

    fn show(&mut self, chunk: &OutputView) -> Result<(), Failure> {
        self.progress.clear();
        if self.output.json {
            return self.output.json_line(chunk);
        }
        self.line_open = print(self.output, chunk, self.options.raw, &mut self.out, &mut self.err)?
            .unwrap_or(self.line_open);
        Ok(())
    }

    /// Ends what was begun on the terminal.
    fn finish(&mut self) -> Result<(), Failure> {
        self.progress.clear();
        self.output.write(Sink::Out, self.out.finish().as_bytes())?;
        self.output.write(Sink::Err, self.err.finish().as_bytes())?;
        if self.line_open && self.output.err_terminal {
            self.output.write(Sink::Err, b"\n")?;
        }
        Ok(())
    }

    async fn patiently<T>(
        &mut self,
        ask: impl AsyncFn(&Arc<Api>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let Self { api, patience, progress, line_open, .. } = self;
        let mut told = |what: &str| {
            if !*line_open {
                progress.show(&format!("\u{2026} {what}; trying again"));
            }
        };
        patience.ask(api, &mut told, ask).await
    }
}

/// Prints a piece of output on the stream that it was printed on. Tells whether it left a terminal's
/// line open; nothing when it went elsewhere.
pub(crate) fn print(
    output: &Output,
    chunk: &OutputView,
    raw: bool,
    out: &mut TextStream,
    err: &mut TextStream,
) -> Result<Option<bool>, Failure> {
    let bytes = BASE64.decode(chunk.data.as_bytes()).map_err(|_| {
        Failure::local(
            "a piece of output is not base64; is something in front of the orchestrator?",
        )
    })?;
    let (sink, text) = match chunk.stream {
        Stream::Stdout => (Sink::Out, out),
        Stream::Stderr => (Sink::Err, err),
    };
    let terminal = output.is_terminal(sink);
    if raw || !terminal {
        output.write(sink, &bytes)?;
    } else {
        output.write(sink, text.push(&bytes).as_bytes())?;
    }
    Ok(bytes.last().filter(|_| terminal).map(|last| *last != b'\n'))
}

async fn children(api: &Api, parent: &str) -> Result<Vec<RunView>, Failure> {
    let query = vec![("parent", parent.to_owned())];
    let mut list: List<RunView> = api.list("/api/v1/runs", &query, CHILDREN_MAX, None).await?;
    list.items.reverse();
    Ok(list.items)
}

/// Where a run stands, for somebody who waits.
fn said(run: &RunView) -> String {
    let attempt = if run.attempts_max > 1 {
        format!(", attempt {} of {}", run.attempt.max(1), run.attempts_max)
    } else {
        String::new()
    };
    let what = match run.state.as_str() {
        _ if run.cancel_requested_at.is_some() => "is being cancelled",
        "awaiting_approval" => "waits for a person's approval",
        "awaiting_input" => "waits for a person's answer",
        "queued" if run.agent_version.is_some() => "waits for its turn",
        "queued" => "waits for a node",
        "leased" => "was given to its node",
        "retrying" => "waits for its next attempt",
        _ => "is running",
    };
    format!("\u{2026} {} {what}{attempt}", run.command)
}
