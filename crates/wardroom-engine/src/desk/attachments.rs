//! Files that belong to requests. They are what their content says, whatever they are called.

use super::{ATTACHMENT_CONTENT, ATTACHMENT_NAME, settled};
use crate::{Engine, EngineError};
use wardroom_core::{
    AttachmentId, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    desk::request::{Attachment, ServiceRequest, checked_attachment_name},
    digest::sha256_hex,
    hint::Hint,
};
use zeroize::Zeroizing;

/// The longest attachment, in bytes.
pub const ATTACHMENT_BYTES_MAX: usize = 10 * 1024 * 1024;

/// What may be attached, by its content. Nothing that a browser or a system would run.
pub const MEDIA_TYPES: [&str; 13] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/heif",
    "application/pdf",
    "application/zip",
    "application/gzip",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
];

/// What `content` is, if it may be attached.
fn media_type(content: &[u8]) -> Option<&'static str> {
    if let Some(kind) = infer::get(content) {
        return MEDIA_TYPES.into_iter().find(|allowed| *allowed == kind.mime_type());
    }
    // What is no known format may be text: no control characters, and nothing that a browser takes for a page or
    // a system for a script.
    let text = std::str::from_utf8(content).ok()?.trim_start_matches('\u{feff}');
    let begins = text.trim_start();
    let plain = !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
        && !begins.starts_with('<')
        && !begins.starts_with("#!");
    plain.then_some("text/plain")
}

impl Engine {
    /// Adds a file to a request.
    pub async fn attach(
        &self,
        request: &ServiceRequest,
        name: &str,
        content: &[u8],
        by: UserId,
        quota_bytes: u64,
        audit: AuditDraft,
    ) -> Result<Attachment, EngineError> {
        let name = checked_attachment_name(name)?;
        let wrong =
            |reason: &str| EngineError::Field { field: "content", reason: reason.to_owned() };
        if content.is_empty() {
            return Err(wrong("is empty"));
        }
        if content.len() > ATTACHMENT_BYTES_MAX {
            return Err(wrong("is longer than 10 MiB"));
        }
        let media_type = media_type(content).ok_or_else(|| {
            wrong("is of a type that is not taken: images, PDF, office documents, archives and plain text are")
        })?;
        let now = self.now();
        let cipher = self.vault.cipher(request.customer.into()).await?;
        let id = AttachmentId::new(now, &*self.rng);
        let attachment = Attachment {
            id,
            request: request.id,
            customer: request.customer,
            sealed_name: cipher
                .seal(ATTACHMENT_NAME, name.as_bytes(), &*self.rng)
                .map_err(EngineError::seal)?,
            media_type: media_type.to_owned(),
            size_bytes: content.len() as u64,
            uploaded_by: by,
            created_at: now,
        };
        let sealed = cipher.seal(&purpose(id), content, &*self.rng).map_err(EngineError::seal)?;
        let audit = audit
            .on(request.id)
            .detail("attachment", id)
            .detail("media_type", media_type)
            .detail("size_bytes", content.len())
            .personal(request.customer, "name", &name)
            .personal(request.customer, "sha256", sha256_hex(content));
        let change = Change::recorded(audit)
            .write(Write::AddAttachment {
                attachment: attachment.clone(),
                content: sealed,
                quota_bytes,
            })
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)?;
        Ok(attachment)
    }

    /// A file of a request, with its content.
    pub async fn attachment(
        &self,
        request: &ServiceRequest,
        id: AttachmentId,
    ) -> Result<(Attachment, Zeroizing<Vec<u8>>), EngineError> {
        let none = || EngineError::NotFound("attachment");
        let found = self.store.lookup_attachment(id).await?;
        // SECURITY: by its own request only: whoever may read another one has no right to this.
        let (attachment, sealed) =
            found.filter(|(attachment, _)| attachment.request == request.id).ok_or_else(none)?;
        let cipher = self.customer_cipher(attachment.customer).await?.ok_or_else(none)?;
        let content = cipher.open(&purpose(id), &sealed).map_err(EngineError::seal)?;
        Ok((attachment, content))
    }

    /// Removes a file from a request.
    pub async fn detach(
        &self,
        request: &ServiceRequest,
        id: AttachmentId,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let (attachment, _) = self.attachment(request, id).await?;
        let audit = audit.on(request.id).detail("attachment", attachment.id);
        let change = Change::recorded(audit)
            .write(Write::RemoveAttachment(id))
            .hint(Hint::Request(request.id));
        settled(self.commit(change).await)
    }
}

/// A content can't be put in another one's place.
pub(crate) fn purpose(id: AttachmentId) -> String {
    format!("{ATTACHMENT_CONTENT} {id}")
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn files_are_what_their_content_says() {
        let png = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0];
        assert_eq!(media_type(&png), Some("image/png"));
        assert_eq!(media_type(b"%PDF-1.7 x"), Some("application/pdf"));
        assert_eq!(media_type("a;b\r\nü;1\r\n".as_bytes()), Some("text/plain"));
        for bad in [
            &b"\x7fELF\x02\x01\x01\0"[..],
            b"MZ\x90\0\x03\0\0\0",
            b"#!/bin/sh\nid\n",
            b"<!doctype html><script>",
            b"  <svg xmlns=\"http://www.w3.org/2000/svg\">",
            b"<?xml version=\"1.0\"?>",
            b"a\0b",
            b"\xff\xfe\x00",
        ] {
            assert_eq!(media_type(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
