//! `jiefeng menu apply`: the app's menu in WeCom.

use clap::{Args, Subcommand};

use super::calling::CallingApp;
use super::{Failure, print_line};
use crate::channels::app::menu;
use crate::knowledge::Catalogue;
use crate::learning::read_directory;

/// The app's menu in WeCom
#[derive(Subcommand)]
pub(super) enum Menu {
    /// Put the bot's three entries (常见情况, 申诉进度, 转人工) into the app's menu, in the place of what is there
    Apply(Apply),
}

#[derive(Args)]
#[command(
    after_help = "The words on the entries stand in knowledge/texts.toml. Members see the new menu when they open the conversation again.
Needs the app's Secret and a trusted IP (企业可信IP).

  jiefeng menu apply --config jiefeng.toml"
)]
pub(super) struct Apply {
    #[command(flatten)]
    app: CallingApp,
}

impl Menu {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Apply(apply) = self;
        let (settings, app, client) = apply.app.connect()?;
        let (catalogue, _) = Catalogue::read(&read_directory(&settings.knowledge.dir)?);
        let menu = menu(&catalogue.texts);
        let created = actix_web::rt::System::new().block_on(client.create_menu(&menu));
        created.map_err(anyhow::Error::from)?;
        print_line(&format!(
            "the menu of `{}` is set; open the conversation again to see it",
            app.name
        ));
        Ok(())
    }
}
