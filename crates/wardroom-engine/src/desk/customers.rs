//! Making customers, changing them, and their end.

use super::{EMAIL, PROFILE, settled};
use crate::{Engine, EngineError};
use std::collections::HashMap;
use wardroom_core::{
    CustomerId, PersonId, Role, UserId,
    audit::AuditDraft,
    change::{Change, Write},
    desk::customer::{Customer, CustomerProfile, CustomerState, OPERATORS_MAX},
    field::FieldError,
    hint::Hint,
    identity::UserState,
    page::PAGE_ITEMS_MAX,
};

/// Rows of one import.
pub const IMPORT_ROWS_MAX: usize = 5000;
/// Problems that one import tells.
const PROBLEMS_MAX: usize = 500;

/// What is wrong with one row of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// The row's place in the table, as an editor counts lines; the heading is line 1.
    pub line: u64,
    /// Which field.
    pub field: String,
    /// What it must be.
    pub reason: String,
}

impl RowProblem {
    /// A field of a row must be otherwise.
    pub fn new(line: u64, error: FieldError) -> Self {
        Self { line, field: error.field, reason: error.reason }
    }
}

impl Engine {
    /// Makes a customer.
    pub async fn add_customer(
        &self,
        profile: CustomerProfile,
        audit: AuditDraft,
    ) -> Result<Customer, EngineError> {
        let profile = profile.checked()?;
        let id = CustomerId::new(self.now(), &*self.rng);
        self.vault.admit_all(&[id.into()], self.now()).await?;
        let customer = self.new_customer(id, &profile).await?;
        let audit = audit.on(id).personal(id, "name", &profile.name);
        let change = Change::recorded(audit)
            .write(Write::AddCustomer(customer.clone()))
            .hint(Hint::Customer(id));
        settled(self.commit(change).await)?;
        self.customers.put(&customer, &profile);
        Ok(customer)
    }

    async fn new_customer(
        &self,
        id: CustomerId,
        profile: &CustomerProfile,
    ) -> Result<Customer, EngineError> {
        let mut customer = Customer {
            id,
            version: 1,
            profile: vec![],
            email_index: None,
            operators: vec![],
            state: CustomerState::Active,
            created_at: self.now(),
        };
        self.put_customer_profile(&mut customer, profile).await?;
        Ok(customer)
    }

    async fn put_customer_profile(
        &self,
        customer: &mut Customer,
        profile: &CustomerProfile,
    ) -> Result<(), EngineError> {
        let cipher = self.vault.cipher(customer.id.into()).await?;
        customer.profile =
            cipher.seal_json(PROFILE, profile, &*self.rng).map_err(EngineError::seal)?;
        customer.email_index = Some(self.vault.index(EMAIL, &profile.email.to_lowercase()));
        Ok(())
    }

    /// Changes what is known of a customer, if it is still of this version.
    pub async fn change_customer(
        &self,
        customer: &Customer,
        wanted: CustomerProfile,
        audit: AuditDraft,
    ) -> Result<Customer, EngineError> {
        let wanted = wanted.checked()?;
        let before = self.customer_profile(customer).await?;
        let mut changed = Customer { version: customer.version + 1, ..customer.clone() };
        self.put_customer_profile(&mut changed, &wanted).await?;
        let fields = [
            ("name", before.name != wanted.name),
            ("email", before.email != wanted.email),
            ("phone", before.phone != wanted.phone),
            ("notes", before.notes != wanted.notes),
            ("fields", before.fields != wanted.fields),
        ];
        let fields: Vec<&str> =
            fields.into_iter().filter_map(|(name, is)| is.then_some(name)).collect();
        let audit = audit.on(customer.id).detail("changed", fields.join(" "));
        let change = Change::recorded(audit)
            .write(Write::UpdateCustomer(changed.clone()))
            .hint(Hint::Customer(customer.id));
        settled(self.commit(change).await)?;
        self.customers.put(&changed, &wanted);
        Ok(changed)
    }

    /// Says who looks after a customer, if it is still of this version.
    pub async fn assign_operators(
        &self,
        customer: &Customer,
        mut operators: Vec<UserId>,
        audit: AuditDraft,
    ) -> Result<Customer, EngineError> {
        operators.sort();
        operators.dedup();
        let field = |reason: String| EngineError::Field { field: "operators", reason };
        if operators.len() > OPERATORS_MAX {
            return Err(field(format!("must be at most {OPERATORS_MAX}")));
        }
        for id in &operators {
            let found = self.store.lookup_user(*id).await?;
            let works_here = |user: &wardroom_core::identity::User| {
                user.role != Role::Customer && user.state != UserState::Erased
            };
            if !found.as_ref().is_some_and(works_here) {
                return Err(field(format!("{id} is not an account of those who work here")));
            }
        }
        let listed: Vec<String> = operators.iter().map(ToString::to_string).collect();
        let changed = Customer { version: customer.version + 1, operators, ..customer.clone() };
        let audit = audit.on(customer.id).detail("operators", listed.join(" "));
        let change = Change::recorded(audit)
            .write(Write::UpdateCustomer(changed.clone()))
            .hint(Hint::Customer(customer.id));
        settled(self.commit(change).await)?;
        let profile = self.customer_profile(&changed).await?;
        self.customers.put(&changed, &profile);
        Ok(changed)
    }

    /// Erases a customer: its key is destroyed, its open requests end.
    pub async fn erase_customer(
        &self,
        customer: &Customer,
        audit: AuditDraft,
    ) -> Result<(), EngineError> {
        let id = customer.id;
        let erased = Customer {
            version: customer.version + 1,
            profile: vec![],
            email_index: None,
            operators: vec![],
            state: CustomerState::Erased,
            ..customer.clone()
        };
        let change = Change::recorded(audit.on(id))
            .write(Write::RequireNoUsersOf(id))
            .write(Write::UpdateCustomer(erased))
            .write(Write::CancelRequestsOf { customer: id, at: self.now() })
            .write(Write::RemoveRunDataOf(id))
            .hint(Hint::Customer(id))
            .hint(Hint::Person(id.into()));
        settled(self.commit(change).await)?;
        self.customers.remove(id);
        // From here on there is a key to something that is marked as erased: the sweep goes on where this ends.
        self.destroy_key(id.into()).await?;
        self.stop_unwanted().await
    }

    /// Makes customers out of the rows of a table, all or none; with `dry_run` none. Gives what is wrong.
    pub async fn import_customers(
        &self,
        rows: Vec<(u64, CustomerProfile)>,
        dry_run: bool,
        audit: AuditDraft,
    ) -> Result<Vec<RowProblem>, EngineError> {
        let mut problems = Vec::new();
        let mut sound = Vec::with_capacity(rows.len());
        let mut seen: HashMap<String, u64> = HashMap::new();
        for (line, row) in rows {
            let checked = match row.checked() {
                Ok(checked) => checked,
                Err(error) => {
                    problems.push(RowProblem::new(line, error));
                    continue;
                }
            };
            let email = checked.email.to_lowercase();
            let reason = match seen.insert(email.clone(), line) {
                Some(first) => Some(format!("is the same as in line {first}")),
                None => {
                    let index = self.vault.index(EMAIL, &email);
                    let taken = self.store.lookup_customer_by_email(index).await?.is_some();
                    taken.then(|| "belongs to a customer already".to_owned())
                }
            };
            match reason {
                Some(reason) => {
                    problems.push(RowProblem::new(line, FieldError::new("email", reason)))
                }
                None => sound.push(checked),
            }
        }
        problems.sort_by_key(|problem| problem.line);
        problems.truncate(PROBLEMS_MAX);
        if dry_run || !problems.is_empty() {
            return Ok(problems);
        }
        let mut ids: Vec<CustomerId> =
            sound.iter().map(|_| CustomerId::new(self.now(), &*self.rng)).collect();
        // Made within one millisecond, they are in no order by themselves: they get the table's.
        ids.sort();
        let people: Vec<PersonId> = ids.iter().map(|id| (*id).into()).collect();
        self.vault.admit_all(&people, self.now()).await?;
        let mut change = Change::recorded(audit.detail("customers", ids.len()));
        let mut made = Vec::with_capacity(ids.len());
        for (id, profile) in ids.into_iter().zip(sound) {
            let customer = self.new_customer(id, &profile).await?;
            change.writes.push(Write::AddCustomer(customer.clone()));
            change.hints.push(Hint::Customer(id));
            made.push((customer, profile));
        }
        settled(self.commit(change).await)?;
        made.iter().for_each(|(customer, profile)| self.customers.put(customer, profile));
        Ok(vec![])
    }

    /// Destroys the keys of customers that were marked as erased before a crash.
    pub(crate) async fn finish_customer_erasures(&self) -> Result<(), EngineError> {
        let mut after = None;
        loop {
            let found = self.store.walk_customers(after, PAGE_ITEMS_MAX).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(last.id);
            for customer in found.iter().filter(|one| one.state == CustomerState::Erased) {
                self.vault.destroy(customer.id.into()).await?;
            }
        }
    }
}
