//! The process from which launchers are forked, as the daemon has it. Forking one that is small and already
//! loaded is a fraction of the work of executing the daemon's whole binary for each run.

use super::launcher;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use std::{
    fs::File,
    io::{self, IoSlice},
    mem::MaybeUninit,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::PathBuf,
    process::Stdio,
};
use tokio::{
    io::{AsyncReadExt as _, Interest},
    net::{
        UnixStream,
        unix::pipe::{self, Receiver, Sender},
    },
    process::{Child, Command},
    sync::Mutex,
};

/// Starts launchers. The process behind it is started with the first one, and anew when it is gone.
#[derive(Debug, Default)]
pub struct Forker(Mutex<Option<Running>>);

#[derive(Debug)]
struct Running {
    control: UnixStream,
    _child: Child,
}

/// A launcher that waits for its order.
#[derive(Debug)]
pub(super) struct Launcher {
    /// Its process, which leads a session of its own.
    pub(super) pid: i32,
    /// Where it is talked to; at its end when the launcher is gone, and with it all of the sandbox.
    pub(super) socket: UnixStream,
    /// The program's standard input, where it is given any.
    pub(super) input: Option<Sender>,
    /// Its standard output.
    pub(super) out: Receiver,
    /// Its standard error.
    pub(super) err: Receiver,
}

impl Forker {
    /// Forks a launcher, whose program has nothing to read unless it is `heard`.
    pub(super) async fn launch(&self, heard: bool) -> io::Result<Launcher> {
        let (socket, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let (input, their_in) = if heard {
            let (input, theirs) = pipe::pipe()?;
            (Some(input), theirs.into_blocking_fd()?)
        } else {
            (None, File::open("/dev/null")?.into())
        };
        let (their_out, out) = pipe::pipe()?;
        let (their_err, err) = pipe::pipe()?;
        let (their_out, their_err) = (their_out.into_blocking_fd()?, their_err.into_blocking_fd()?);
        let handed = [theirs.as_fd(), their_in.as_fd(), their_out.as_fd(), their_err.as_fd()];
        let mut current = self.0.lock().await;
        // Taken out: one that is left in the middle of a conversation is of no use to the next.
        let pid = match current.take() {
            Some(mut running) => match running.fork(&handed).await {
                Ok(pid) => Ok((pid, running)),
                Err(error) => {
                    tracing::warn!(%error, "the process that launchers are forked from is gone; another one is started");
                    fork_anew(&handed).await
                }
            },
            None => fork_anew(&handed).await,
        };
        let (pid, running) = pid?;
        *current = Some(running);
        Ok(Launcher { pid, socket, input, out, err })
    }
}

async fn fork_anew(handed: &[BorrowedFd<'_>; 4]) -> io::Result<(i32, Running)> {
    let mut running = Running::start()?;
    Ok((running.fork(handed).await?, running))
}

impl Running {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where this daemon starts a process: its own binary, as the launchers' parent"
    )]
    fn start() -> io::Result<Self> {
        let (control, theirs) = UnixStream::pair()?;
        let theirs = theirs.into_std()?;
        theirs.set_nonblocking(false)?;
        let child = Command::new(PathBuf::from("/proc/self/exe"))
            .arg(launcher::ARGUMENT)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { control, _child: child })
    }

    /// Hands four descriptors over; gives the process that has them.
    async fn fork(&mut self, handed: &[BorrowedFd<'_>; 4]) -> io::Result<i32> {
        loop {
            self.control.writable().await?;
            let send = || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if !control.push(SendAncillaryMessage::ScmRights(handed)) {
                    return Err(io::Error::other("four descriptors do not fit into a message"));
                }
                let sent = sendmsg(
                    &self.control,
                    &[IoSlice::new(&[0])],
                    &mut control,
                    SendFlags::NOSIGNAL,
                );
                sent.map(drop).map_err(io::Error::from)
            };
            match self.control.try_io(Interest::WRITABLE, send) {
                Ok(()) => break,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        let mut pid = [0; 4];
        self.control.read_exact(&mut pid).await?;
        match i32::from_le_bytes(pid) {
            0 => Err(io::Error::other("no process could be forked for a launcher")),
            pid => Ok(pid),
        }
    }
}
