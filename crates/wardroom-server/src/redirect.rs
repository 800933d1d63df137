//! A listener in plain HTTP that does nothing but send browsers to where everything is encrypted.

use crate::{App, sign_in::local_path};
use axum::http::{HeaderValue, Method, StatusCode, header};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

/// Connections at the same time; more are closed unheard.
const CONNECTIONS_MAX: usize = 256;
/// How long one connection may take: it is answered once.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// The most header bytes.
const HEADER_BYTES_MAX: usize = 8 * 1024;

/// Redirects until the application stops.
pub async fn serve_redirects(app: Arc<App>, listener: TcpListener) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = tokio::select! {
            () = app.stop.cancelled() => return Ok(()),
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = stream else {
            // Out of file descriptors, mostly: wait for some to come back.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let _place = place;
            let _ = tokio::time::timeout(CONNECTION_TIMEOUT, answer(&app, stream)).await;
        });
    }
}

async fn answer(app: &App, stream: TcpStream) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(redirect(&app.public_url, &request))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

/// SECURITY: to this server's own URL whatever host the request names, and nothing but pages: a program that
/// sent a secret in the clear must notice rather than be helped to send it again.
fn redirect<B>(public_url: &str, request: &Request<B>) -> Response<String> {
    let mut response = Response::new(String::new());
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        *response.status_mut() = StatusCode::FORBIDDEN;
        return response;
    }
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let target = format!("{public_url}{}", local_path(path));
    match HeaderValue::from_str(&target) {
        Ok(target) => {
            *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
            response.headers_mut().insert(header::LOCATION, target);
        }
        Err(_) => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn target(method: Method, uri: &str) -> (u16, Option<String>) {
        let request = Request::builder().method(method).uri(uri).body(()).unwrap();
        let answer = redirect("https://wardroom.example:4000", &request);
        let target = answer.headers().get(header::LOCATION);
        (answer.status().as_u16(), target.map(|target| target.to_str().unwrap().to_owned()))
    }

    #[test]
    fn pages_are_sent_to_the_own_url_and_nothing_else_is() {
        let own = |path: &str| Some(format!("https://wardroom.example:4000{path}"));
        assert_eq!(target(Method::GET, "/runs?a=b"), (308, own("/runs?a=b")));
        assert_eq!(target(Method::GET, "http://evil.example/x"), (308, own("/x")));
        assert_eq!(target(Method::GET, "//evil.example/x"), (308, own("/")));
        assert_eq!(target(Method::POST, "/sign-in"), (403, None));
    }
}
