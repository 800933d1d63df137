//! Everything that is known of a customer.

use super::{Out, Piece, Rows, Stop, plain, settle, text};
use crate::Engine;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc::Sender;
use wardroom_core::{
    desk::{customer::Customer, request::ServiceRequest},
    page::{PAGE_ITEMS_MAX, PageRequest},
    store::{AuditFilter, RequestFilter, RunFilter, UserFilter},
};

impl Engine {
    /// Gives everything that is known of a customer, piece by piece.
    pub async fn disclose_customer(self: Arc<Self>, customer: Customer, to: Sender<Piece>) {
        let out = Out(to);
        let outcome = self.customer_parts(&customer, &out).await;
        settle(&out, outcome).await;
    }

    async fn customer_parts(&self, customer: &Customer, out: &Out) -> Result<(), Stop> {
        let profile = self.customer_profile(customer).await?;
        let mut about = out.rows("customer", "The customer");
        let mut row = plain(&profile);
        if let Value::Object(row) = &mut row {
            row.insert("id".to_owned(), customer.id.to_string().into());
            row.insert("since".to_owned(), customer.created_at.to_string().into());
        }
        about.add(row).await?;
        about.end().await?;
        self.customer_accounts(customer, out).await?;
        self.customer_requests(customer, out).await?;
        let target =
            AuditFilter { target: Some(customer.id.to_string()), ..AuditFilter::default() };
        let named = ("records", "What was done about the customer");
        self.disclose_audit(out, named, target, customer.id.into()).await
    }

    async fn customer_accounts(&self, customer: &Customer, out: &Out) -> Result<(), Stop> {
        let mut rows = out.rows("accounts", "Accounts that belong to it");
        let filter = UserFilter { customer: Some(customer.id), ..UserFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        loop {
            let found = self.store.list_users(&filter, page).await?;
            for user in &found.items {
                let profile = self.profile(user).await?;
                rows.add(json!({
                    "id": user.id.to_string(), "name": profile.name, "display_name": profile.display_name,
                    "email": profile.email, "state": user.state.as_str(), "since": user.created_at.to_string(),
                }))
                .await?;
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => return rows.end().await,
            }
        }
    }

    /// Requests, what was said about them, and files; runs at last.
    async fn customer_requests(&self, customer: &Customer, out: &Out) -> Result<(), Stop> {
        let (mut requests, mut notes, mut files) = (
            out.rows("requests", "Requests"),
            out.rows("notes", "What was said about them"),
            out.rows("files", "Files"),
        );
        let filter =
            RequestFilter { customers: Some(vec![customer.id]), ..RequestFilter::default() };
        let mut page = PageRequest::new(None, PAGE_ITEMS_MAX);
        let mut runs = vec![];
        loop {
            let found = self.store.list_requests(&filter, page).await?;
            for request in &found.items {
                let order = self.order_of(request).await?;
                requests
                    .add(json!({
                        "id": request.id.to_string(), "service": request.service.to_string(),
                        "made_by": request.requested_by.to_string(), "filled_in": plain(&order.values),
                        "state": request.state.as_str(), "made_at": request.created_at.to_string(),
                        "closed_at": text(request.closed_at),
                    }))
                    .await?;
                self.request_notes(request, &mut notes).await?;
                self.request_files(request, &mut files, out).await?;
                runs.push(request.id);
            }
            match found.next {
                Some(after) => page.after = Some(after),
                None => break,
            }
        }
        requests.end().await?;
        notes.end().await?;
        files.end().await?;
        let mut rows = out.rows("runs", "Runs");
        for request in runs {
            let filter = RunFilter { request: Some(request), ..RunFilter::default() };
            self.disclose_runs(&mut rows, Some(customer.id), filter).await?;
        }
        rows.end().await
    }

    async fn request_notes(
        &self,
        request: &ServiceRequest,
        rows: &mut Rows<'_>,
    ) -> Result<(), Stop> {
        for note in self.store.list_notes(request.id).await? {
            let said = self.note_text(request.customer, &note).await?;
            rows.add(json!({
                "request": request.id.to_string(), "by": note.author.map(|id| id.to_string()),
                "at": note.created_at.to_string(), "internal": note.internal, "text": said,
            }))
            .await?;
        }
        Ok(())
    }

    async fn request_files(
        &self,
        request: &ServiceRequest,
        rows: &mut Rows<'_>,
        out: &Out,
    ) -> Result<(), Stop> {
        for attachment in self.store.list_attachments(request.id).await? {
            let (attachment, content) = self.attachment(request, attachment.id).await?;
            let called = self.attachment_name(&attachment).await?;
            let stored = format!("{}-{}", attachment.id, in_archive(&called));
            rows.add(json!({
                "request": request.id.to_string(), "name": called, "in_archive": format!("files/{stored}"),
                "type": attachment.media_type, "bytes": attachment.size_bytes,
                "by": attachment.uploaded_by.to_string(), "at": attachment.created_at.to_string(),
            }))
            .await?;
            out.send(Piece::File { name: stored, content }).await?;
        }
        Ok(())
    }
}

/// A file's name as it stands in an archive: nothing that any system takes for a path or a device.
fn in_archive(name: &str) -> String {
    let sound = |c: char| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' };
    name.chars().map(sound).collect()
}

#[cfg(test)]
mod tests {
    use super::in_archive;

    #[test]
    fn names_lead_nowhere() {
        assert_eq!(in_archive("../../etc/passwd"), ".._.._etc_passwd");
        assert_eq!(in_archive("Plan für Pier 9.pdf"), "Plan_für_Pier_9.pdf");
        assert_eq!(in_archive("C:\\a\u{202e}b"), "C__a_b");
    }
}
