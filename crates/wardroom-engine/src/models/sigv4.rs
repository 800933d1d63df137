//! Signatures of requests to AWS (Signature Version 4), for the one shape of request that is made: a POST without a
//! query, with a JSON body that is known as a whole.

use aws_lc_rs::{digest, hmac};
use data_encoding::HEXLOWER;

/// What a request to AWS is signed with.
pub struct AwsKey {
    /// The access key's id.
    pub id: String,
    /// The secret.
    pub secret: secrecy::SecretString,
    /// What goes with keys that end soon.
    pub session: Option<secrecy::SecretString>,
}

/// A request that is to be signed.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The host.
    pub host: &'a str,
    /// The path as it is sent, with its reserved bytes in percent form.
    pub path: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// The region.
    pub region: &'a str,
    /// When, as `20261122T000000Z`.
    pub at: &'a str,
}

/// The service's name in signatures: not that of its host.
const SERVICE: &str = "bedrock";

/// The value of the header `authorization`. Beside the host, the headers `content-type` (`application/json`),
/// `x-amz-date`, and where the key has one `x-amz-security-token` are signed.
pub fn authorization(key: &AwsKey, request: &Signed<'_>) -> String {
    use secrecy::ExposeSecret as _;
    let mut headers = format!(
        "content-type:application/json\nhost:{}\nx-amz-date:{}\n",
        request.host, request.at
    );
    let mut names = "content-type;host;x-amz-date".to_owned();
    if let Some(session) = &key.session {
        headers.push_str(&format!("x-amz-security-token:{}\n", session.expose_secret()));
        names.push_str(";x-amz-security-token");
    }
    // What is in percent form already is so once more.
    let path = request.path.replace('%', "%25");
    let body = hash(request.body);
    let canonical = format!("POST\n{path}\n\n{headers}\n{names}\n{body}");
    let day = request.at.get(..8).unwrap_or_default();
    let scope = format!("{day}/{}/{SERVICE}/aws4_request", request.region);
    let signed =
        format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{}", request.at, hash(canonical.as_bytes()));
    let first = format!("AWS4{}", key.secret.expose_secret());
    let last = [day, request.region, SERVICE, "aws4_request", &signed].into_iter().fold(
        first.into_bytes(),
        |key, text| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes()).as_ref().to_vec()
        },
    );
    let signature = HEXLOWER.encode(&last);
    format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        key.id
    )
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// A path's segment with all that is reserved in percent form.
pub fn segment(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(byte.into());
            }
            byte => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn signatures_are_those_of_awss_own_tools() {
        let mut key = AwsKey {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: None,
        };
        let path =
            format!("/model/{}/converse-stream", segment("us.anthropic.claude-sonnet-5-v1:0"));
        assert_eq!(path, "/model/us.anthropic.claude-sonnet-5-v1%3A0/converse-stream");
        let request = Signed {
            host: "bedrock-runtime.us-east-1.amazonaws.com",
            path: &path,
            body: b"{}",
            region: "us-east-1",
            at: "20261122T000000Z",
        };
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=02153226bfa4bbf515202c7ad7d92452a9b6219324810141725542032a796e6b";
        assert_eq!(authorization(&key, &request), expected);
        key.session = Some("token".into());
        assert!(authorization(&key, &request).contains("x-amz-date;x-amz-security-token, "));
        assert_eq!(segment("arn:aws:x/y z"), "arn%3Aaws%3Ax%2Fy%20z");
    }
}
