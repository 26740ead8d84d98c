//! The settings that are in force now; others take their place when an admin changes them in the console.

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::{AdjustableKey, AdjustableSettings, AdjustableValues};
use crate::store::{Store, StoreError};

/// Names the settings that are in force now; all clones of it name the same ones.
#[derive(Clone)]
pub struct CurrentSettings(Arc<Shared>);

struct Shared {
    configured: AdjustableValues,
    /// Held while the store is read and what it says is put in force, so that nothing older follows something newer.
    following: tokio::sync::Mutex<()>,
    /// What is set in the console, and what is in force.
    stored: RwLock<(AdjustableValues, Arc<AdjustableSettings>)>,
}

impl CurrentSettings {
    /// What the configuration says; what was set in the console comes with [`Self::follow`].
    pub fn new(configured: AdjustableValues) -> Self {
        let in_force = Arc::new(configured.clone().in_force());
        Self(Arc::new(Shared {
            configured,
            following: tokio::sync::Mutex::default(),
            stored: RwLock::new((AdjustableValues::default(), in_force)),
        }))
    }

    /// What is in force.
    pub fn get(&self) -> Arc<AdjustableSettings> {
        let stored = self.0.stored.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&stored.1)
    }

    /// What the configuration says, which the console cannot change.
    pub fn configured(&self) -> &AdjustableValues {
        &self.0.configured
    }

    /// What is set in the console.
    pub fn stored(&self) -> AdjustableValues {
        let stored = self.0.stored.read().unwrap_or_else(PoisonError::into_inner);
        stored.0.clone()
    }

    /// Takes what the store says now.
    ///
    /// # Errors
    ///
    /// A store that cannot be read; what was in force stays so.
    pub async fn follow(&self, store: &dyn Store) -> Result<(), StoreError> {
        let _following = self.0.following.lock().await;
        let values = read(store.settings().await?);
        if values != self.stored() {
            let in_force = Arc::new(self.0.configured.clone().or(values.clone()).in_force());
            *self.0.stored.write().unwrap_or_else(PoisonError::into_inner) = (values, in_force);
            tracing::info!("the settings of the console are in force");
        }
        Ok(())
    }
}

/// What a later version has set and this one does not know is left alone.
fn read(settings: Vec<(String, String)>) -> AdjustableValues {
    let mut values = AdjustableValues::default();
    for (name, value) in settings {
        let is_set = AdjustableKey::from_name(&name).is_some_and(|key| values.set(key, &value));
        if !is_set {
            tracing::debug!(name, "a setting of the store means nothing to this version");
        }
    }
    values
}
