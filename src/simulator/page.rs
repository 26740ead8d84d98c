//! The chat page's files, embedded, so that the program needs nothing beside it.

/// One file of the page.
pub(super) struct PageFile {
    pub(super) path: &'static str,
    pub(super) content_type: &'static str,
    pub(super) body: &'static str,
}

/// A script of the page by its name.
macro_rules! script {
    ($name:literal) => {
        PageFile {
            path: concat!("/assets/", $name, ".js"),
            content_type: "text/javascript; charset=utf-8",
            body: include_str!(concat!("page/", $name, ".js")),
        }
    };
}

/// Every file of the page.
pub(super) const PAGE_FILES: &[PageFile] = &[
    PageFile {
        path: "/",
        content_type: "text/html; charset=utf-8",
        body: include_str!("page/index.html"),
    },
    PageFile {
        path: "/assets/app.css",
        content_type: "text/css; charset=utf-8",
        body: include_str!("page/app.css"),
    },
    script!("app"),
    script!("card"),
    script!("clock"),
    script!("composer"),
    script!("desk"),
    script!("dom"),
    script!("live"),
    script!("log"),
    script!("panes"),
    script!("reply"),
    script!("time"),
    script!("transcript"),
    script!("wechat"),
    script!("wire"),
];
