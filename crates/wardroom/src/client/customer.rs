//! `wardroom customer …`

use super::{
    Exit, Failure, Session,
    http::{Query, escape, segment},
    values,
};
use crate::{
    offline,
    output::{Output, Sink, Table, confirmed, pairs},
};
use std::path::PathBuf;
use wardroom_wire::desk::{
    CustomerCreate, CustomerPatch, CustomerView, ImportReport, OperatorsPut,
};

/// The longest table that is sent, in bytes.
const TABLE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What can be done with customers.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum CustomerCommand {
    /// List customers, newest first
    List {
        /// With each of these words in name, address or number
        text: Vec<String>,
        /// That you look after yourself
        #[arg(long)]
        mine: bool,
        /// At most so many
        #[arg(long, default_value_t = 200)]
        limit: u32,
        /// Go on behind this one, as `next` of a list said
        #[arg(long)]
        after: Option<String>,
    },
    /// Show a customer
    Show {
        /// The customer's id
        customer: String,
    },
    /// Make a customer
    Create {
        /// What it is called
        name: String,
        /// Where messages go
        #[arg(long)]
        email: String,
        /// Its telephone number, such as +4930123456
        #[arg(long, default_value = "")]
        phone: String,
        /// What those who look after it should know
        #[arg(long, default_value = "")]
        notes: String,
        /// A further field; may be given several times
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = values::pair)]
        fields: Vec<(String, String)>,
    },
    /// Change what is known of a customer
    Change {
        /// The customer's id
        customer: String,
        /// What it is called
        #[arg(long)]
        name: Option<String>,
        /// Where messages go
        #[arg(long)]
        email: Option<String>,
        /// Its telephone number; empty for none
        #[arg(long)]
        phone: Option<String>,
        /// What those who look after it should know
        #[arg(long)]
        notes: Option<String>,
        /// A further field, empty to take it away; may be given several times, others stay
        #[arg(long = "field", value_name = "NAME=VALUE", value_parser = values::pair)]
        fields: Vec<(String, String)>,
    },
    /// Say which accounts look after a customer; no others do from then on
    Assign {
        /// The customer's id
        customer: String,
        /// The accounts, by name or id; none for nobody
        operators: Vec<String>,
    },
    /// Make customers out of a table (CSV); all rows or none
    Import {
        /// The file; its first line names the columns name, email, phone, notes and further fields
        file: PathBuf,
        /// Only tell what would be wrong
        #[arg(long)]
        dry_run: bool,
    },
    /// Print all customers as a table (CSV)
    Export,
    /// Save everything that is known of a customer, as a ZIP archive
    Disclose {
        /// The customer's id
        customer: String,
        /// Where to
        #[arg(long)]
        out: PathBuf,
    },
    /// Erase a customer for good: here, in backups and in the audit log
    Erase {
        /// The customer's id
        customer: String,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// Does it.
pub(crate) async fn run(session: &Session, command: CustomerCommand) -> Result<Exit, Failure> {
    let (api, output) = (session.api()?, &session.output);
    match command {
        CustomerCommand::List { text, mine, limit, after } => {
            list(session, &text, mine, limit, after).await?;
        }
        CustomerCommand::Show { customer } => {
            show(output, &api.get(&path(&customer, "")?, &vec![]).await?)?;
        }
        CustomerCommand::Create { name, email, phone, notes, fields } => {
            let fields = fields.into_iter().collect();
            let body = CustomerCreate { name, email, phone, notes, fields };
            show(output, &api.post("/api/v1/customers", &body).await?)?;
        }
        CustomerCommand::Change { customer, name, email, phone, notes, fields } => {
            let (found, tag) = api.get_tagged::<CustomerView>(&path(&customer, "")?).await?;
            let fields = (!fields.is_empty()).then(|| {
                let mut all = found.fields;
                all.extend(fields);
                all.retain(|_, value| !value.is_empty());
                all
            });
            let body = CustomerPatch { name, email, phone, notes, fields };
            show(output, &api.patch(&path(&customer, "")?, &body, &tag).await?)?;
        }
        CustomerCommand::Assign { customer, operators } => {
            let body = OperatorsPut { operators };
            show(output, &api.put(&path(&customer, "/operators")?, &body).await?)?;
        }
        CustomerCommand::Import { file, dry_run } => {
            let text = offline::read_text(&file, TABLE_BYTES_MAX)?;
            let path = format!("/api/v1/customers/import?dry_run={dry_run}");
            let report: ImportReport = api.send_bytes(&path, "text/csv", text.into()).await?;
            return told(output, &report);
        }
        CustomerCommand::Export => {
            let text = api.text("/api/v1/customers/export").await?;
            output.write(Sink::Out, text.as_bytes())?;
        }
        CustomerCommand::Disclose { customer, out } => {
            api.save(&path(&customer, "/disclosure")?, &out, output).await?;
        }
        CustomerCommand::Erase { customer, yes } => {
            let question = format!("Erase {customer} for good? Nothing brings it back.");
            if !yes && !confirmed(&question)? {
                return Err(
                    Failure::usage("nothing was erased").advice("Confirm with y, or pass --yes.")
                );
            }
            api.delete(&path(&customer, "")?).await?;
            output.hint(&format!("{} is erased", escape(&customer)));
        }
    }
    Ok(Exit::Ok)
}

/// Prints a page of the list.
async fn list(
    session: &Session,
    text: &[String],
    mine: bool,
    limit: u32,
    after: Option<String>,
) -> Result<(), Failure> {
    let (api, output) = (session.api()?, &session.output);
    let mut query: Query = vec![];
    if !text.is_empty() {
        query.push(("text", text.join(" ")));
    }
    if mine {
        query.push(("operator", "me".to_owned()));
    }
    let list = api.list::<CustomerView>("/api/v1/customers", &query, limit, after).await?;
    if output.json {
        output.json(&list)?;
        return Ok(());
    }
    let mut table = Table::new(&["NAME", "E-MAIL", "PHONE", "MADE", "ID"]);
    for customer in &list.items {
        table.row([
            customer.name.clone(),
            customer.email.clone(),
            customer.phone.clone(),
            output.time(&customer.created_at),
            customer.id.clone(),
        ]);
    }
    output.table(&table)?;
    if let Some(next) = &list.next {
        output.hint(&format!("There are more: --after {next}"));
    }
    Ok(())
}

fn path(customer: &str, then: &str) -> Result<String, Failure> {
    Ok(format!("/api/v1/customers/{}{then}", segment(customer)?))
}

fn show(output: &Output, customer: &CustomerView) -> Result<(), Failure> {
    if output.json {
        return output.json(customer);
    }
    let mut rows = vec![
        ("id", customer.id.clone()),
        ("name", customer.name.clone()),
        ("e-mail", customer.email.clone()),
        ("phone", customer.phone.clone()),
        ("looked after by", customer.operators.join(", ")),
        ("made", output.time(&customer.created_at)),
    ];
    let fields: Vec<String> =
        customer.fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    rows.push(("fields", fields.join(", ")));
    rows.push(("notes", customer.notes.clone()));
    rows.retain(|(_, value)| !value.is_empty());
    output.table(&pairs(rows))
}

fn told(output: &Output, report: &ImportReport) -> Result<Exit, Failure> {
    let exit = if report.problems.is_empty() { Exit::Ok } else { Exit::Found };
    if output.json {
        output.json(report)?;
        return Ok(exit);
    }
    let mut table = Table::new(&["LINE", "COLUMN", "WHAT IS WRONG"]);
    for problem in &report.problems {
        table.row([problem.line.to_string(), problem.field.clone(), problem.reason.clone()]);
    }
    if !table.is_empty() {
        output.table(&table)?;
        output.hint("Nothing was made: mend these lines, then import again.");
    } else if report.dry_run {
        output.line(&format!("{} rows, nothing wrong; nothing was made", report.rows))?;
    } else {
        output.line(&format!("{} customers were made", report.made))?;
    }
    Ok(exit)
}
