//! Events, typed (doc/90240, doc/96468; contacts doc/90970–90973; approvals doc/91815).

use super::fields::Fields;
use super::message::MessageError;
use super::private::Private;

/// Something that happened. What a support bot has no use for keeps the fields that identify it; the rest stays in WeCom.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A member became able to see the app.
    Subscribe,
    /// A member is no longer able to see the app.
    Unsubscribe,
    /// A member opened the app's conversation.
    EnterAgent,
    /// A member's place on entering the conversation.
    Location {
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
        /// Metres.
        precision: f64,
        /// `wxwork` from WeCom.
        app_type: Option<String>,
    },
    /// An asynchronous job of the contacts interface ended.
    BatchJobResult {
        /// Identifies the job.
        job_id: String,
        /// `sync_user`, `replace_user`, `invite_user`, `replace_party`.
        job_type: String,
        /// 0 when it went well.
        error_code: i64,
        /// What went wrong.
        error_message: String,
    },
    /// The app was shared with a linked company, or withdrawn from it.
    ShareAgentChange,
    /// The same for companies up and down the chain.
    ShareChainChange,
    /// WeCom suspends, restricts or restores an app that is hardly used.
    Activity {
        /// What happens.
        change: ActivityChange,
        /// Unix seconds from which it holds, where WeCom says so.
        effective_at: Option<i64>,
    },
    /// The workbench was switched to another mode.
    SwitchWorkbenchMode {
        /// The new mode.
        mode: String,
    },
    /// A menu entry was used.
    Menu(MenuEvent),
    /// A button or choice of a template card was used.
    TemplateCard(CardEvent),
    /// An entry of a template card's own menu was used.
    TemplateCardMenu(CardEvent),
    /// A button of an old task card was used.
    TaskCardClick {
        /// Key of the button.
        key: String,
        /// The card.
        task_id: String,
    },
    /// Members, departments or tags changed.
    ChangeContact(ContactChange),
    /// An approval of a self-built app changed.
    OpenApprovalChange {
        /// The app's own number for it.
        third_number: String,
        /// 1 in progress, 2 approved, 3 refused, 4 cancelled.
        status: Option<i64>,
    },
    /// An approval of the approval app changed.
    SystemApprovalChange {
        /// Number of the approval.
        number: String,
        /// 1 in progress, 2 approved, 3 refused, 4 withdrawn, 6 withdrawn after approval, 7 deleted, 10 paid.
        status: Option<i64>,
        /// What happened to it.
        change: Option<i64>,
    },
    /// 微信客服 has messages to fetch.
    KfMessageOrEvent {
        /// For fetching them, for ten minutes.
        token: Private,
        /// The customer-service account.
        open_kf_id: String,
    },
    /// Customers, customer groups or customer tags changed.
    ExternalChange {
        /// `change_external_contact`, `change_external_chat` or `change_external_tag`.
        event: String,
        /// What changed.
        change_type: String,
    },
    /// An event that is not documented, or not one of these.
    Unknown {
        /// What `Event` says.
        event: String,
        /// The whole decrypted text.
        raw: Private,
    },
}

/// What WeCom does with an app that is hardly used. All of them announce that a bot stops working, or works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivityChange {
    /// Will be suspended for lack of use.
    InactiveAlert,
    /// Will be restricted for low use.
    LowActiveAlert,
    /// Suspended; the reason behind error 48006.
    CloseInactive,
    /// Restored after a suspension.
    ReopenInactive,
    /// Restricted for low use.
    LowActive,
    /// Restored after a restriction.
    Restored,
}

/// A menu entry was used (doc/90240).
#[derive(Clone, Debug, PartialEq)]
pub struct MenuEvent {
    /// What kind of entry.
    pub kind: MenuKind,
    /// Its key; the address for `View`, the page for `ViewMiniProgram`.
    pub key: String,
}

/// Kinds of menu entries, with what they bring.
#[derive(Clone, Debug, PartialEq)]
pub enum MenuKind {
    /// A plain entry.
    Click,
    /// Opened an address.
    View,
    /// Opened a mini program.
    ViewMiniProgram,
    /// Scanned a code.
    Scan {
        /// Whether the client waits for a message.
        waits: bool,
        /// Usually `qrcode`.
        scan_type: String,
        /// What the code says.
        result: Private,
    },
    /// Pictures were chosen; they follow as messages.
    Pictures {
        /// `pic_sysphoto`, `pic_photo_or_album` or `pic_weixin`.
        way: String,
        /// How many.
        count: i64,
    },
    /// A place was chosen; it follows as a message.
    LocationSelect {
        /// Degrees.
        latitude: f64,
        /// Degrees.
        longitude: f64,
        /// Address.
        label: Private,
        /// Name of the place.
        name: Private,
    },
}

/// A template card was used (doc/90240).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardEvent {
    /// Key of the button or menu entry.
    pub key: String,
    /// The card.
    pub task_id: String,
    /// Kind of card.
    pub card_type: String,
    /// For updating the card once, within 72 hours.
    pub response_code: Private,
    /// What was chosen in it.
    pub selected: Vec<SelectedItem>,
}

/// A choice made in a template card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelectedItem {
    /// Which question.
    pub question_key: String,
    /// Which options.
    pub option_ids: Vec<String>,
}

/// A change of the contacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContactChange {
    /// A member was added.
    CreateUser {
        /// The member.
        user_id: String,
        /// Departments.
        departments: Vec<String>,
    },
    /// A member was changed.
    UpdateUser {
        /// The member.
        user_id: String,
        /// The new id, if it changed.
        new_user_id: Option<String>,
        /// Departments, if they changed.
        departments: Vec<String>,
    },
    /// A member was removed.
    DeleteUser {
        /// The member.
        user_id: String,
    },
    /// A department was added, changed or removed.
    Party {
        /// `create_party`, `update_party` or `delete_party`.
        change: String,
        /// The department.
        id: String,
    },
    /// Members or departments of a tag changed.
    UpdateTag {
        /// The tag.
        tag_id: String,
        /// Members added.
        added_users: Vec<String>,
        /// Members removed.
        removed_users: Vec<String>,
        /// Departments added.
        added_parties: Vec<String>,
        /// Departments removed.
        removed_parties: Vec<String>,
    },
    /// A change that is not documented.
    Unknown {
        /// What `ChangeType` says.
        change_type: String,
        /// The whole decrypted text.
        raw: Private,
    },
}

impl Event {
    pub(super) fn read(fields: &Fields<'_>, raw: &str) -> Result<Self, MessageError> {
        let name = fields.text("Event").ok_or(MessageError::Field("Event"))?;
        if let Some(change) = ActivityChange::of_event(&name) {
            return Ok(Self::Activity {
                change,
                effective_at: fields.number("EffectTime"),
            });
        }
        if let Some(kind) = menu_kind(&name, fields) {
            return Ok(Self::Menu(MenuEvent {
                kind,
                key: fields.text_or_empty("EventKey"),
            }));
        }
        Ok(match name.as_str() {
            "subscribe" => Self::Subscribe,
            "unsubscribe" => Self::Unsubscribe,
            "enter_agent" => Self::EnterAgent,
            "LOCATION" => Self::Location {
                latitude: fields.decimal("Latitude").unwrap_or_default(),
                longitude: fields.decimal("Longitude").unwrap_or_default(),
                precision: fields.decimal("Precision").unwrap_or_default(),
                app_type: fields.text("AppType"),
            },
            "batch_job_result" => batch_job_result(fields),
            "share_agent_change" => Self::ShareAgentChange,
            "share_chain_change" => Self::ShareChainChange,
            "switch_workbench_mode" => Self::SwitchWorkbenchMode {
                mode: fields.text_or_empty("Mode"),
            },
            "template_card_event" => Self::TemplateCard(card_event(fields)),
            "template_card_menu_event" => Self::TemplateCardMenu(card_event(fields)),
            "taskcard_click" => Self::TaskCardClick {
                key: fields.text_or_empty("EventKey"),
                task_id: fields.text_or_empty("TaskId"),
            },
            "change_contact" => Self::ChangeContact(contact_change(fields, raw)),
            "open_approval_change" => open_approval_change(&fields.inside("ApprovalInfo")),
            "sys_approval_change" => system_approval_change(&fields.inside("ApprovalInfo")),
            "kf_msg_or_event" => Self::KfMessageOrEvent {
                token: fields.text_or_empty("Token").into(),
                open_kf_id: fields.text_or_empty("OpenKfId"),
            },
            "change_external_contact" | "change_external_chat" | "change_external_tag" => Self::ExternalChange {
                event: name,
                change_type: fields.text_or_empty("ChangeType"),
            },
            _ => Self::Unknown {
                event: name,
                raw: raw.into(),
            },
        })
    }
}

impl ActivityChange {
    const ALL: [(&'static str, Self); 6] = [
        ("inactive_alert", Self::InactiveAlert),
        ("low_active_alert", Self::LowActiveAlert),
        ("close_inactive_agent", Self::CloseInactive),
        ("reopen_inactive_agent", Self::ReopenInactive),
        ("low_active", Self::LowActive),
        ("active_restored", Self::Restored),
    ];

    fn of_event(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|(event, _)| *event == name)
            .map(|(_, change)| change)
    }

    /// The event's name on the wire.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, change)| *change == self)
            .map_or("", |(event, _)| event)
    }
}

fn menu_kind(name: &str, fields: &Fields<'_>) -> Option<MenuKind> {
    Some(match name {
        "click" => MenuKind::Click,
        "view" => MenuKind::View,
        "view_miniprogram" => MenuKind::ViewMiniProgram,
        "scancode_push" | "scancode_waitmsg" => {
            let scan = fields.inside("ScanCodeInfo");
            let (scan_type, result) = (scan.text_or_empty("ScanType"), scan.text_or_empty("ScanResult").into());
            MenuKind::Scan {
                waits: name == "scancode_waitmsg",
                scan_type,
                result,
            }
        }
        "pic_sysphoto" | "pic_photo_or_album" | "pic_weixin" => {
            let count = fields.inside("SendPicsInfo").number("Count").unwrap_or_default();
            MenuKind::Pictures {
                way: name.to_owned(),
                count,
            }
        }
        "location_select" => {
            let place = fields.inside("SendLocationInfo");
            MenuKind::LocationSelect {
                latitude: place.decimal("Location_X").unwrap_or_default(),
                longitude: place.decimal("Location_Y").unwrap_or_default(),
                label: place.text_or_empty("Label").into(),
                name: place.text_or_empty("Poiname").into(),
            }
        }
        _ => return None,
    })
}

/// One page prints the four fields without their wrapper, so both are read.
fn batch_job_result(fields: &Fields<'_>) -> Event {
    let wrapped = fields.inside("BatchJob");
    let job = if wrapped.text("JobId").is_some() {
        &wrapped
    } else {
        fields
    };
    Event::BatchJobResult {
        job_id: job.text_or_empty("JobId"),
        job_type: job.text_or_empty("JobType"),
        error_code: job.number("ErrCode").unwrap_or_default(),
        error_message: job.text_or_empty("ErrMsg"),
    }
}

fn card_event(fields: &Fields<'_>) -> CardEvent {
    let selected = fields.inside("SelectedItems").all("SelectedItem");
    CardEvent {
        key: fields.text_or_empty("EventKey"),
        task_id: fields.text_or_empty("TaskId"),
        card_type: fields.text_or_empty("CardType"),
        response_code: fields.text_or_empty("ResponseCode").into(),
        selected: selected.iter().map(selected_item).collect(),
    }
}

/// Older official samples misspell `OptionIds`, so both spellings are read.
fn selected_item(item: &Fields<'_>) -> SelectedItem {
    let mut option_ids = item.inside("OptionIds").texts("OptionId");
    option_ids.extend(item.inside("OpitonIds").texts("OpitonId"));
    SelectedItem {
        question_key: item.text_or_empty("QuestionKey"),
        option_ids,
    }
}

fn contact_change(fields: &Fields<'_>, raw: &str) -> ContactChange {
    let change_type = fields.text_or_empty("ChangeType");
    let user_id = fields.text_or_empty("UserID");
    match change_type.as_str() {
        "create_user" => ContactChange::CreateUser {
            user_id,
            departments: fields.comma_list("Department"),
        },
        "update_user" => ContactChange::UpdateUser {
            user_id,
            new_user_id: fields.text("NewUserID"),
            departments: fields.comma_list("Department"),
        },
        "delete_user" => ContactChange::DeleteUser { user_id },
        "create_party" | "update_party" | "delete_party" => ContactChange::Party {
            change: change_type,
            id: fields.text_or_empty("Id"),
        },
        "update_tag" => ContactChange::UpdateTag {
            tag_id: fields.text_or_empty("TagId"),
            added_users: fields.comma_list("AddUserItems"),
            removed_users: fields.comma_list("DelUserItems"),
            added_parties: fields.comma_list("AddPartyItems"),
            removed_parties: fields.comma_list("DelPartyItems"),
        },
        _ => ContactChange::Unknown {
            change_type,
            raw: raw.into(),
        },
    }
}

fn open_approval_change(approval: &Fields<'_>) -> Event {
    Event::OpenApprovalChange {
        third_number: approval.text_or_empty("ThirdNo"),
        status: approval.number("OpenSpStatus"),
    }
}

/// `StatuChangeEvent` is spelt so by WeCom; the number as text is the one that does not overflow.
fn system_approval_change(approval: &Fields<'_>) -> Event {
    let number = approval
        .text("SpNoStr")
        .or_else(|| approval.text("SpNo"))
        .unwrap_or_default();
    Event::SystemApprovalChange {
        number,
        status: approval.number("SpStatus"),
        change: approval.number("StatuChangeEvent"),
    }
}
