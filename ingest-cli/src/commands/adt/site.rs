use std::path::PathBuf;
use std::sync::Arc;

use ingest_pipeline::Error;
use ingest_pipeline::adt::{self, Inbox, MessageArchive, Receiver, Rules};
use ingest_pipeline::config::ConnectionSettings;
use ingest_pipeline::connect::Surroundings;
use ingest_pipeline::state::State;

use crate::args::Db;
use crate::context::{self, Context, Target};
use crate::exit::{Exit, Failure};

/// What all commands of the real-time channel share.
pub(crate) struct Site<'a> {
    context: &'a Context<'a>,
    pub(crate) store: Target,
    pub(crate) state_path: PathBuf,
    pub(crate) around: Surroundings,
}

impl<'a> Site<'a> {
    pub(crate) fn new(context: &'a Context<'a>, db: &Db) -> Result<Self, Failure> {
        let around = context::surroundings()?;
        let store = context.store(db, &around)?;
        Ok(Self {
            context,
            state_path: context.state_path(store.access().file())?,
            store,
            around,
        })
    }

    /// The connection named, or the only one.
    pub(crate) fn connection(&self, name: Option<&str>) -> Result<ConnectionSettings, Failure> {
        match name {
            Some(name) => self.context.connection(name),
            None => {
                let config = self.context.config()?;
                let only = config.only_connection().map_err(Error::from)?;
                self.context.connection(only)
            }
        }
    }

    /// The connection named, or all of them.
    pub(crate) fn connections(
        &self,
        name: Option<&str>,
    ) -> Result<Vec<ConnectionSettings>, Failure> {
        match name {
            Some(name) => Ok(vec![self.context.connection(name)?]),
            None => {
                let names = self.context.config()?.connections.keys();
                names.map(|name| self.context.connection(name)).collect()
            }
        }
    }

    /// The state as it is: where there is none, looking makes none.
    pub(crate) fn state(&self) -> Result<State, Failure> {
        if !self.state_path.exists() {
            let path = self.state_path.display();
            let message = format!("there is no state at {path}: no message was received there");
            return Err(Failure::new(Exit::Store, message)
                .hint("name the store with --db, or the configuration with --config"));
        }
        Ok(State::open(&self.state_path)?)
    }

    /// The archive of a connection's tenant.
    pub(crate) fn archive(&self, settings: &ConnectionSettings) -> Result<MessageArchive, Failure> {
        self.archive_of(settings.tenant.as_deref())
    }

    /// The archive of a tenant; of none, the one that is not configured.
    pub(crate) fn archive_of(&self, tenant: Option<&str>) -> Result<MessageArchive, Failure> {
        let tenants = &self.context.config()?.tenants;
        let tenant = tenant.and_then(|name| tenants.get(name)).cloned();
        let archive = adt::archive(
            &tenant.unwrap_or_default().archive,
            &self.state_path,
            &self.around,
        )?;
        Ok(archive)
    }

    pub(crate) fn receiver(
        &self,
        settings: &ConnectionSettings,
        inbox: &Arc<Inbox>,
    ) -> Result<Receiver, Failure> {
        Ok(Receiver::new(
            Rules::new(settings),
            Arc::clone(inbox),
            Arc::clone(&self.around.clock),
            Arc::clone(&self.around.random),
        ))
    }

    /// The inbox, with the archive of a connection's tenant behind it.
    pub(crate) fn inbox(&self, settings: &ConnectionSettings) -> Result<Arc<Inbox>, Failure> {
        let inbox = Inbox::open(&self.state_path, self.archive(settings)?)?;
        Ok(Arc::new(inbox))
    }
}
