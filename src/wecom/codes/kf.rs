//! The codes of 微信客服.

use super::Handling::{AnotherServicer, Customer, Defect, DropCallbackToken, StateChanged, TellAdmin, TooLate};
use super::{CodeMeaning, row};

/// In the order of the numbers.
pub(super) const CODES: &[CodeMeaning] = &[
    row(
        40096,
        Customer,
        "客户的 external_userid 不合法（也可能是别的企业或别的客服帐号的）。放弃给这位客户的消息。",
        "The customer's external_userid is illegal, or belongs to another company or account. Messages to this customer are given up.",
    ),
    row(
        48007,
        TellAdmin,
        "客服帐号没有授权给这个应用。请到管理后台 → 微信客服 → API → 通过API管理微信客服帐号 → 企业内部开发，勾选该客服帐号。",
        "The customer service account is not granted to this app. In the admin console open 微信客服 → API → 通过API管理微信客服帐号 → \
         企业内部开发 and tick the account.",
    ),
    row(60251, Defect, "缺少 open_kfid。", "The open_kfid is missing."),
    row(
        60252,
        TellAdmin,
        "open_kfid 无效。请在管理后台 → 微信客服里确认该客服帐号仍存在并已授权给这个应用。",
        "The open_kfid is invalid. Check in the admin console under 微信客服 that the account exists and is granted to this app.",
    ),
    row(
        60253,
        AnotherServicer,
        "这个人不在客服帐号的接待人员里。",
        "This person is not among those who serve the account.",
    ),
    row(
        90207,
        TellAdmin,
        "小程序的 appid 不对或没有关联企业。请在管理后台关联该小程序。",
        "The mini program's appid is wrong or not linked to the company. Link it in the admin console.",
    ),
    row(
        95000,
        TellAdmin,
        "open_kfid 不合法。请在管理后台 → 微信客服里确认该客服帐号，再改配置。",
        "The open_kfid is illegal. Check the account in the admin console under 微信客服 and correct the configuration.",
    ),
    row(
        95001,
        Customer,
        "客户发来一条消息后最多回 5 条，已经用完；客户再发消息后才能继续发。",
        "Five messages may follow a message of the customer, and they are used up. More can be sent once the customer writes again.",
    ),
    row(
        95002,
        Customer,
        "客户超过 48 小时没有发消息，不能再发给他。",
        "The customer has not written for 48 hours, so nothing can be sent.",
    ),
    row(
        95003,
        TellAdmin,
        "接待的客户数已达上限（未认证企业共 100 位）。请完成企业认证。",
        "The number of customers served has reached its limit (100 for an unverified company). Have the company verified.",
    ),
    row(
        95004,
        TellAdmin,
        "open_kfid 不存在（客服帐号已删除或属于别的企业）。请在管理后台 → 微信客服里确认后改配置。",
        "The open_kfid does not exist: the account was deleted or is another company's. Check it in the admin console under 微信客服 \
         and correct the configuration.",
    ),
    row(
        95005,
        TellAdmin,
        "客服帐号太多。请在管理后台 → 微信客服里删除不用的帐号。",
        "There are too many customer service accounts. Delete unused ones in the admin console under 微信客服.",
    ),
    row(
        95006,
        TellAdmin,
        "客服帐号的名称不合法。请改短（最多 16 个字）或换一个名称。",
        "The name of the customer service account is illegal. Use another or a shorter one (16 characters).",
    ),
    row(
        95007,
        DropCallbackToken,
        "回调里的 token 无效或已过 10 分钟。",
        "The token of the callback is invalid or older than 10 minutes.",
    ),
    row(95008, Defect, "菜单超过 10 项。", "The menu has more than 10 items."),
    row(
        95009,
        Defect,
        "菜单项的类型不合法。",
        "The type of a menu item is illegal.",
    ),
    row(
        95011,
        TellAdmin,
        "这个客服帐号在企业微信里管理，但 Secret 是独立版微信客服（kf.weixin.qq.com）的。请改用企业微信自建应用的 Secret。",
        "The account is managed in WeCom, but the Secret is that of the stand-alone 微信客服 (kf.weixin.qq.com). Use the Secret of the \
         self-built app in WeCom.",
    ),
    row(
        95012,
        TellAdmin,
        "这个客服帐号在独立版微信客服（kf.weixin.qq.com）里管理，但 Secret 是企业微信应用的。请改用该后台开发配置里的 Secret，或把帐号迁到企业微信。",
        "The account is managed in the stand-alone 微信客服 (kf.weixin.qq.com), but the Secret is that of an app in WeCom. Use the Secret \
         of that console's 开发配置, or move the account into WeCom.",
    ),
    row(95013, StateChanged, "会话已经结束。", "The session has ended already."),
    row(
        95014,
        AnotherServicer,
        "这个人不是该客服帐号的接待人员，或没有激活企业微信。",
        "This person does not serve the account or has not activated WeCom.",
    ),
    row(
        95015,
        TellAdmin,
        "升级服务已在管理后台设置，不能通过接口修改。请在管理后台 → 微信客服 → 升级服务里修改。",
        "The upgrade service is set in the console and cannot be changed by a call. Change it in the admin console under 微信客服 → \
         升级服务.",
    ),
    row(
        95016,
        StateChanged,
        "会话的当前状态不允许这样变更。",
        "The session's present state does not allow this change.",
    ),
    row(
        95017,
        TellAdmin,
        "微信客服的 API 开关没有打开。请在管理后台 → 微信客服 → API 里打开。",
        "The API of 微信客服 is switched off. Switch it on in the admin console under 微信客服 → API.",
    ),
    row(
        95018,
        Customer,
        "会话的状态不允许机器人发消息：正由人工接待、在排队、已结束，或超过 48 小时。若新会话一开始就这样，请到管理后台 → 微信客服，把该帐号交给 API 管理，并取消自动分配接待人员。",
        "The session's state does not allow the bot to send: a person serves it, it waits in the pool, it has ended, or 48 hours are \
         over. If new sessions begin like this, let the API manage the account in the admin console under 微信客服 and stop the \
         automatic assignment of 接待人员.",
    ),
    row(
        95019,
        AnotherServicer,
        "接待人员已停止或暂停接待。",
        "This person has stopped or paused receiving.",
    ),
    row(95022, Defect, "location_type 不合法。", "The location_type is illegal."),
    row(
        95023,
        TellAdmin,
        "客服帐号的 API 权限在代开发应用手里。请在管理后台 → 微信客服 → API 里改为企业内部开发。",
        "A delegated app has the API rights to the account. Change it to 企业内部开发 in the admin console under 微信客服 → API.",
    ),
    row(
        95024,
        Customer,
        "客户 48 小时内没有主动发消息（点菜单不算），不能发名片。",
        "The customer has written nothing in 48 hours (taps on menus do not count), so no card can be sent.",
    ),
    row(
        95025,
        Customer,
        "48 小时内只能给同一位客户发一张名片。",
        "One card can be sent to a customer in 48 hours.",
    ),
    row(
        95026,
        TellAdmin,
        "现有客服帐号使用率太低，不能新建。请先使用现有帐号。",
        "The present customer service accounts are hardly used, so no more can be made. Use the present ones first.",
    ),
    row(
        95027,
        TellAdmin,
        "未认证的企业最多 10 个客服帐号。请完成企业认证。",
        "An unverified company has 10 customer service accounts at most. Have the company verified.",
    ),
    row(
        95028,
        TooLate,
        "要撤回的消息不存在。",
        "The message to recall is unknown.",
    ),
    row(
        95029,
        TooLate,
        "消息已超过 2 分钟，不能撤回。",
        "The message is older than 2 minutes and cannot be recalled.",
    ),
    row(
        95030,
        Defect,
        "这种消息类型被所用的组件禁止。",
        "This kind of message is forbidden by a component in use.",
    ),
    row(
        95031,
        Customer,
        "客户 48 小时内没有咨询，不能再发给他。",
        "The customer has made no enquiry in 48 hours, so nothing can be sent.",
    ),
    row(
        95032,
        TellAdmin,
        "组件获取聊天记录的权限已过期。请在管理后台续期。",
        "The component's right to chat records has expired. Renew it in the admin console.",
    ),
];
