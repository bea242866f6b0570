//! The account with the authority: made once, then kept.

use instant_acme::{Account, AccountCredentials, NewAccount};

use super::client::Client;
use super::keeper::Options;
use super::records::Records;
use super::trouble::Trouble;
use crate::store::{self, Secret};

/// The account that is kept, or a new one. By asking for certificates the operator agrees to the authority's terms.
pub(super) async fn account(options: &Options, client: &Client, records: &Records) -> Result<Account, Trouble> {
    let contact: Vec<_> = options.contact.iter().map(|address| format!("mailto:{address}")).collect();
    let contact: Vec<_> = contact.iter().map(String::as_str).collect();
    let written = options.contact.join(" ");
    let directory = options.directory.clone();
    let builder = Account::builder_with_http(Box::new(client.clone()));
    let kept = records.with(move |store| store.account(&directory)).await?;
    let credentials =
        kept.as_ref().and_then(|kept| serde_json::from_slice::<AccountCredentials>(kept.credentials.reveal()).ok());
    if let (Some(kept), Some(credentials)) = (kept, credentials) {
        let account = builder.from_credentials(credentials).await?;
        if kept.contact != written {
            account.update_contacts(&contact).await?;
            keep(options, records, Some(store::Account { contact: written, ..kept })).await?;
        }
        return Ok(account);
    }
    let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let (account, credentials) = builder.create(&wanted, options.directory.clone(), None).await?;
    let credentials = serde_json::to_vec(&credentials).map_err(|error| Trouble::Own(error.into()))?;
    keep(options, records, Some(store::Account { credentials: Secret::new(credentials), contact: written })).await?;
    Ok(account)
}

/// Forgets the account: the authority does not know it any more.
pub(super) async fn forget(options: &Options, records: &Records) -> Result<(), Trouble> {
    keep(options, records, None).await
}

async fn keep(options: &Options, records: &Records, account: Option<store::Account>) -> Result<(), Trouble> {
    let directory = options.directory.clone();
    Ok(records.with(move |store| store.keep_account(&directory, account.as_ref())).await?)
}
