//! `wardroom chat`: a conversation with an agent at the terminal.

use super::{
    Api, Exit, Failure, Session,
    ask::{given, goes_on, typed},
    follow,
    http::segment,
    run::{fresh_key, submit},
    talk::{Talk, line},
};
use crate::output::Output;
use serde_json::{Map, Value};
use std::{
    io::{IsTerminal as _, stdin},
    sync::Arc,
};
use wardroom_wire::{
    agents::StepView,
    api::RunView,
    threads::{ThreadStart, ThreadView, TurnStart},
};

/// What can be typed beside what is said.
const HELP: &str = "/new begins a new conversation, /exit leaves (so does the end of input); \
    a line that ends with \\ goes on in the next. Ctrl-C stops an answer.";

/// Talk with an agent.
///
/// Goes on in the last conversation with it, unless that is idle for longer than the agent says; what is said is kept, and
/// is there again on the dashboard. Where standard input is no terminal, each line is said and the answers are printed.
#[derive(Debug, clap::Args)]
pub(crate) struct ChatArgs {
    /// The agent's name; its mode is `continuous`
    agent: String,
    /// Begin a new conversation
    #[arg(long, conflicts_with = "thread")]
    new: bool,
    /// Go on in this one
    #[arg(long, value_name = "ID")]
    thread: Option<String>,
    /// A value for one of its variables
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = given)]
    variables: Vec<(String, String)>,
}

/// A conversation at the terminal.
struct Chat<'a> {
    session: &'a Session,
    api: &'a Arc<Api>,
    output: &'a Output,
    agent: String,
    variables: Map<String, Value>,
    /// The conversation, once it is known.
    thread: Option<String>,
    /// Whether a new one begins with what is said next.
    new: bool,
}

/// Does it.
pub(crate) async fn run(session: &Session, args: ChatArgs) -> Result<Exit, Failure> {
    let api = Arc::new(session.api()?);
    let output = &session.output;
    if let Some(id) = &args.thread {
        let thread: ThreadView =
            api.get(&format!("/api/v1/threads/{}", segment(id)?), &vec![]).await?;
        if thread.agent != args.agent {
            let what = format!("that conversation is with the agent {}", thread.agent);
            return Err(Failure::usage(what));
        }
    }
    let variables = typed(&api, &segment(&args.agent)?, args.variables).await?;
    let mut chat = Chat {
        session,
        api: &api,
        output,
        agent: args.agent,
        variables,
        thread: args.thread,
        new: args.new,
    };
    if stdin().is_terminal() {
        output.hint(HELP);
    }
    let mut exit = Exit::Ok;
    while let Some(text) = said().await? {
        match text.trim() {
            "" => {}
            "/exit" | "/quit" => break,
            "/help" => output.note(HELP),
            "/new" => (chat.thread, chat.new) = (None, true),
            _ => match chat.say(text).await {
                Ok(said) => exit = said,
                // Whoever sits there can say something else.
                Err(failure) if stdin().is_terminal() && !failure.silent => {
                    output.failure(&failure);
                    exit = failure.exit;
                }
                Err(failure) => return Err(failure),
            },
        }
    }
    Ok(exit)
}

/// What is typed next; nothing at the end of input.
async fn said() -> Result<Option<String>, Failure> {
    let mut text = String::new();
    loop {
        let mark = match (stdin().is_terminal(), text.is_empty()) {
            (false, _) => "",
            (true, true) => "\u{203a} ",
            (true, false) => "\u{2026} ",
        };
        let Some(more) = line(mark).await? else {
            return Ok(Some(text).filter(|text| !text.is_empty()));
        };
        match more.strip_suffix('\\') {
            Some(more) => {
                text.push_str(more);
                text.push('\n');
            }
            None => {
                text.push_str(&more);
                return Ok(Some(text));
            }
        }
    }
}

impl Chat<'_> {
    /// Says something, and tells what is answered.
    async fn say(&mut self, text: String) -> Result<Exit, Failure> {
        let key = fresh_key();
        let run = match &self.thread {
            Some(thread) => {
                let path = format!("/api/v1/threads/{}/turns", segment(thread)?);
                let body = TurnStart { text, variables: self.variables.clone() };
                submit(self.session, self.api, &path, &body, &key).await?
            }
            None => {
                let body = ThreadStart {
                    agent: self.agent.clone(),
                    text,
                    variables: self.variables.clone(),
                    resume: !self.new,
                };
                submit(self.session, self.api, "/api/v1/threads", &body, &key).await?
            }
        };
        if let Some(thread) = run.thread.clone().filter(|_| self.thread.is_none()) {
            self.output.hint(&format!("conversation {thread}"));
            (self.thread, self.new) = (Some(thread), false);
        }
        let (steps, said) =
            self.listen(&run.id).await.map_err(|failure| goes_on(failure, &run.id))?;
        let path = format!("/api/v1/runs/{}", segment(&run.id)?);
        let run: RunView = self.api.get(&path, &vec![]).await?;
        super::ask::finish(self.output, run, steps, said)
    }

    /// Follows a turn to its end; Ctrl-C stops it.
    async fn listen(&self, run: &str) -> Result<(Vec<StepView>, bool), Failure> {
        let mut talk = Talk::new(self.api, self.output);
        let steps = {
            let mut follow = std::pin::pin!(talk.follow(run));
            tokio::select! {
                steps = &mut follow => steps?,
                stopped = follow::asked_to_stop(self.api, self.output, run) => {
                    stopped?;
                    tokio::select! {
                        steps = follow => steps?,
                        left = follow::interrupted(self.api, self.output, run, false) => return Err(left),
                    }
                }
            }
        };
        Ok((steps, talk.has_said()))
    }
}
