//! Keeps a certificate in force. It is the only one that asks the authority, and the only writer of what the authority has
//! given.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use instant_acme::Order;
use rustls::sign::CertifiedKey;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::account::{account, forget};
use super::client::Client;
use super::issued::{judge, read};
use super::order::{begin, complete};
use super::records::Records;
use super::schedule::{Ending, Held, Try, due, grantable};
use super::trouble::Trouble;
use crate::clock::{Clock, Timestamp};
use crate::source::roots;
use crate::store::{Issued, Setback, Store, StoreError, Subject};
use crate::tls::{Certificates, Challenges, Outlook, Validity};

/// How often the clock is looked at while nothing is due: it may have been set, or the machine have slept.
const LOOK_EVERY: Duration = Duration::from_hours(1);
/// For a whole order, whatever its parts take.
const DEADLINE: Duration = Duration::from_mins(10);

/// What is wanted of whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The address of the authority's directory: `https://…`.
    pub directory: String,
    /// The names the certificate is for, in ASCII and lower case.
    pub domains: Vec<String>,
    /// Mail addresses for the authority.
    pub contact: Vec<String>,
    /// Certificates to trust beside the system's when speaking to the authority: a PEM file.
    pub ca_file: Option<PathBuf>,
}

/// Why no certificate can be kept.
#[derive(Debug, thiserror::Error)]
pub enum Unready {
    /// The certificates to trust cannot be read.
    #[error("ca_file cannot be read: {0}")]
    Roots(rustls::pki_types::pem::Error),
    /// What is kept cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps a certificate in force.
#[derive(Debug)]
pub struct Keeper {
    options: Options,
    subject: Subject,
    records: Records,
    clock: Clock,
    certificates: Arc<Certificates>,
    challenges: Arc<Challenges>,
    client: Client,
    held: Option<Held>,
    setback: Option<Setback>,
    wishes: Arc<Notify>,
}

impl Keeper {
    /// Shows the certificate that is kept, if there is one. Reads the store, and asks nobody.
    ///
    /// # Errors
    /// If the store or `ca_file` cannot be read.
    pub fn open(
        options: Options,
        store: Arc<Store>,
        certificates: Arc<Certificates>,
        clock: Clock,
    ) -> Result<Self, Unready> {
        let client = Client::new(roots(options.ca_file.as_deref()).map_err(Unready::Roots)?);
        let mut domains = options.domains.clone();
        domains.sort_unstable();
        let subject = Subject { directory: options.directory.clone(), domains: domains.join(" ") };
        let setback = store.setback(&subject)?;
        let issued = store.issued()?;
        let (challenges, records) = (Arc::default(), Records::new(store));
        let mut keeper = Self {
            options,
            subject,
            records,
            clock,
            certificates,
            challenges,
            client,
            held: None,
            setback,
            wishes: Arc::default(),
        };
        if let Some(issued) = issued {
            keeper.take_up(&issued);
        }
        Ok(keeper)
    }

    /// What is shown to the authority when it checks a name.
    pub fn challenges(&self) -> Arc<Challenges> {
        Arc::clone(&self.challenges)
    }

    /// Rung by an operator who wants another try now: see [`Keeper::run`].
    pub fn bell(&self) -> Arc<Notify> {
        Arc::clone(&self.wishes)
    }

    /// Keeps a certificate in force until `stop` is cancelled; an order under way is given up, and what has come of it is
    /// stored. When the bell rings, an order that has failed is tried again, a quarter of an hour after it at the soonest.
    /// The names must lead to listeners that are open.
    pub async fn run(mut self, stop: CancellationToken) {
        let _ = stop.run_until_cancelled(self.keep()).await;
        self.records.finish().await;
    }

    /// A certificate for other names, or of another authority, is shown until there is the one that is wanted.
    fn take_up(&mut self, issued: &Issued) {
        match read(issued) {
            Ok((certificate, validity)) => self.show(issued, certificate, validity),
            Err(error) => error!(%error, "the certificate that was kept cannot be used, and another one is ordered"),
        }
    }

    fn show(&mut self, issued: &Issued, certificate: CertifiedKey, validity: Validity) {
        self.certificates.install(certificate);
        if issued.subject == self.subject {
            self.held = Some(Held { validity, ordered_at: issued.ordered_at });
        }
    }

    async fn keep(&mut self) {
        loop {
            let now = self.clock.now();
            let due = due(self.held, self.setback.as_ref(), now);
            if due <= now {
                self.certificates.expect(self.outlook(None));
                self.try_once(now).await;
                continue;
            }
            self.certificates.expect(self.outlook(Some(due)));
            let wait = tokio::time::sleep(due.since(now).min(LOOK_EVERY));
            // A bell that rings while nobody listens is heard afterwards.
            tokio::select! {
                () = wait => {}
                () = self.wishes.notified() => self.grant(due),
            }
        }
    }

    /// The operator wants another try, and not at `due`.
    fn grant(&mut self, due: Timestamp) {
        let Some(at) = grantable(self.setback.as_ref()) else {
            return info!("the next certificate is ordered at {due}; none has failed, so nothing is tried now");
        };
        if at > self.clock.now() {
            return info!("the next certificate is ordered at {due}; ask again after {at} to have it tried sooner");
        }
        info!("a certificate is ordered now, as asked");
        if let Some(setback) = &mut self.setback {
            setback.next_at = at;
        }
    }

    fn outlook(&self, next_try: Option<Timestamp>) -> Outlook {
        let trouble = self.setback.as_ref().map(|setback| crate::tls::Trouble {
            words: setback.words.clone(),
            tried_at: setback.tried_at,
            failures: setback.failures,
        });
        Outlook { next_try, trouble }
    }

    /// One try. It is written down before it is made: a program that is killed again and again in the middle of it must
    /// not ask again and again.
    async fn try_once(&mut self, now: Timestamp) {
        let this = Try::after(self.setback.as_ref(), now);
        if let Err(cause) = self.note(this, Ending::Interrupted, "calferry ended before the order did".into()).await {
            let words = format!("the state folder cannot be written, so nothing is ordered: {cause}");
            error!("{words}");
            // Not on the disk, but in force.
            self.setback = Some(this.setback(Ending::Refused, words, now, None, fastrand::f64()));
            return;
        }
        let tried = tokio::time::timeout(DEADLINE, self.obtain()).await;
        match tried.unwrap_or_else(|_| Err((Ending::Refused, Trouble::Undecided(DEADLINE.as_secs() / 60)))) {
            Ok((issued, certificate, validity)) => self.put_in_force(issued, certificate, validity).await,
            Err((ending, trouble)) => self.tell(this, ending, &trouble).await,
        }
    }

    /// Asks the authority. An account that it does not know any more is replaced, once.
    async fn obtain(&self) -> Result<(Issued, CertifiedKey, Validity), (Ending, Trouble)> {
        let order = match self.begin().await {
            Err(trouble) if trouble.account_is_gone() => {
                warn!("the authority does not know the account any more; a new one is made");
                match forget(&self.options, &self.records).await {
                    Ok(()) => self.begin().await,
                    Err(trouble) => Err(trouble),
                }
            }
            begun => begun,
        };
        let order = order.map_err(|trouble| (trouble.ending(), trouble))?;
        // From here on the authority has counted an order.
        let refused = |trouble| (Ending::Refused, trouble);
        let (chain, key) = complete(order, &self.options.domains, &self.challenges).await.map_err(refused)?;
        let issued = Issued { subject: self.subject.clone(), chain, key, ordered_at: self.clock.now() };
        let (certificate, validity) = judge(&issued, self.clock.now()).map_err(|error| refused(error.into()))?;
        Ok((issued, certificate, validity))
    }

    async fn begin(&self) -> Result<Order, Trouble> {
        let account = account(&self.options, &self.client, &self.records).await?;
        begin(&account, &self.options.domains).await
    }

    async fn put_in_force(&mut self, issued: Issued, certificate: CertifiedKey, validity: Validity) {
        self.setback = None;
        self.show(&issued, certificate, validity);
        let until = validity.until;
        info!(
            certificate.domains = self.subject.domains,
            certificate.until = %until,
            "there is a new certificate for {}, until {until}",
            self.subject.domains
        );
        if let Err(cause) = self.records.with(move |store| store.keep_issued(&issued)).await {
            error!(error = %cause, "the new certificate is in force, and could not be stored: a restart orders another one");
        }
    }

    async fn tell(&mut self, this: Try, ending: Ending, trouble: &Trouble) {
        let words = format!("no certificate from {}: {trouble}", self.subject.directory);
        if let Err(cause) = self.note(this, ending, words.clone()).await {
            error!(error = %cause, "what became of the order could not be stored");
        }
        let (failures, next) = self.setback.as_ref().map_or((0, this.at), |noted| (noted.failures, noted.next_at));
        let until = self.certificates.validity().map(|validity| validity.until);
        // While there is one that holds, nobody has noticed yet.
        if until.is_some_and(|until| until > self.clock.now()) {
            warn!(failures, "{words}. The one in force holds; the next try is at {next}");
        } else {
            error!(failures, "{words}. There is none in force that holds; the next try is at {next}");
        }
    }

    /// Writes down that a try gave nothing.
    async fn note(&mut self, this: Try, ending: Ending, words: String) -> Result<(), StoreError> {
        let setback = this.setback(ending, words, self.clock.now(), self.client.take_asked(), fastrand::f64());
        self.setback = Some(setback.clone());
        let subject = self.subject.clone();
        self.records.with(move |store| store.keep_setback(&subject, &setback)).await
    }
}
