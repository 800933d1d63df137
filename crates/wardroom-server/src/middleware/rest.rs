//! What a handler leaves unread of a request's body. Over HTTP/2 an answer that comes before the end of the
//! body resets the stream, and some clients then lose the answer that they have: so a body that is small
//! enough is read to its end first.

use axum::body::{Body, Bytes, HttpBody};
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot;

/// How long a client has to send the rest.
const REST_TIMEOUT: Duration = Duration::from_secs(2);

/// A body that comes back when its reader is done with it.
struct Lent {
    body: Body,
    back: Option<oneshot::Sender<Body>>,
}

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            let _ = back.send(std::mem::take(&mut self.body));
        }
    }
}

/// A body to lend out, and where it comes back.
pub(super) fn lend(body: Body) -> (Body, oneshot::Receiver<Body>) {
    let (back, returned) = oneshot::channel();
    (Body::new(Lent { body, back: Some(back) }), returned)
}

/// Reads what was left of a body, up to `bytes_max`.
pub(super) async fn read(mut returned: oneshot::Receiver<Body>, bytes_max: usize) {
    let Ok(body) = returned.try_recv() else { return };
    if !body.is_end_stream() {
        let reading = axum::body::to_bytes(body, bytes_max);
        let _ = tokio::time::timeout(REST_TIMEOUT, reading).await;
    }
}
