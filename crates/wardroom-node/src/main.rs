//! The node daemon's binary.

use clap::Parser as _;
use std::process::ExitCode;
use wardroom_node::{command_line::CommandLine, sandbox::launcher};

fn main() -> ExitCode {
    // Before any thread, log or argument parser: the launcher must be alone.
    launcher::run_if_requested();
    CommandLine::parse().run()
}
