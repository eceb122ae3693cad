//! Filters, shared by HTTPRoute, GRPCRoute and listeners.

use super::reference::{BackendObjectReference, LocalObjectReference};

wire! {
    /// `HTTPRouteFilter`; GRPCRoute's filters are a part of it.
    HttpRouteFilter {
        #[serde(rename = "type")]
        filter_type: FilterType;
        request_header_modifier: HttpHeaderFilter,
        response_header_modifier: HttpHeaderFilter,
        request_mirror: HttpRequestMirrorFilter,
        request_redirect: HttpRequestRedirectFilter,
        url_rewrite: HttpUrlRewriteFilter,
        cors: HttpCorsFilter,
        external_auth: HttpExternalAuthFilter,
        extension_ref: LocalObjectReference,
    }
}

open_enum! {
    /// `HTTPRouteFilterType`.
    FilterType {
        RequestHeaderModifier = "RequestHeaderModifier",
        ResponseHeaderModifier = "ResponseHeaderModifier",
        RequestMirror = "RequestMirror",
        RequestRedirect = "RequestRedirect",
        UrlRewrite = "URLRewrite",
        Cors = "CORS",
        ExternalAuth = "ExternalAuth",
        ExtensionRef = "ExtensionRef",
    }
}

wire! {
    /// `HTTPHeaderFilter`.
    HttpHeaderFilter {
        ;
        set: Vec<HttpHeader>,
        add: Vec<HttpHeader>,
        remove: Vec<String>,
    }
}

wire! {
    /// `HTTPHeader`.
    HttpHeader { name: String, value: String; }
}

wire! {
    /// `HTTPRequestMirrorFilter`.
    HttpRequestMirrorFilter {
        backend_ref: BackendObjectReference;
        percent: i32,
        fraction: Fraction,
    }
}

wire! {
    /// `Fraction`.
    Fraction { numerator: i32; denominator: i32 }
}

impl Fraction {
    /// `denominator`, 100 by default.
    pub fn denominator(&self) -> i32 {
        self.denominator.unwrap_or(100)
    }
}

wire! {
    /// `HTTPRequestRedirectFilter`.
    HttpRequestRedirectFilter {
        ;
        scheme: String,
        hostname: String,
        path: HttpPathModifier,
        port: i32,
        status_code: i32,
    }
}

impl HttpRequestRedirectFilter {
    /// `statusCode`, 302 by default.
    pub fn status_code(&self) -> i32 {
        self.status_code.unwrap_or(302)
    }
}

wire! {
    /// `HTTPURLRewriteFilter`.
    HttpUrlRewriteFilter {
        ;
        hostname: String,
        path: HttpPathModifier,
    }
}

wire! {
    /// `HTTPPathModifier`.
    HttpPathModifier {
        #[serde(rename = "type")]
        modifier_type: PathModifierType;
        replace_full_path: String,
        replace_prefix_match: String,
    }
}

open_enum! {
    /// `HTTPPathModifierType`.
    PathModifierType { ReplaceFullPath = "ReplaceFullPath", ReplacePrefixMatch = "ReplacePrefixMatch" }
}

wire! {
    /// `HTTPCORSFilter`.
    HttpCorsFilter {
        ;
        allow_origins: Vec<String>,
        allow_credentials: bool,
        allow_methods: Vec<String>,
        allow_headers: Vec<String>,
        expose_headers: Vec<String>,
        max_age: i32,
    }
}

impl HttpCorsFilter {
    /// `allowCredentials`, false by default.
    pub fn allow_credentials(&self) -> bool {
        self.allow_credentials.unwrap_or(false)
    }

    /// `maxAge` in seconds, 5 by default.
    pub fn max_age(&self) -> i32 {
        self.max_age.unwrap_or(5)
    }
}

wire! {
    /// `HTTPExternalAuthFilter` (experimental).
    HttpExternalAuthFilter {
        protocol: ExternalAuthProtocolType,
        backend_ref: BackendObjectReference;
        grpc: GrpcAuthConfig,
        http: HttpAuthConfig,
        forward_body: ForwardBodyConfig,
    }
}

open_enum! {
    /// `HTTPRouteExternalAuthProtocol`.
    ExternalAuthProtocolType { Http = "HTTP", Grpc = "GRPC" }
}

wire! {
    /// `GRPCAuthConfig`.
    GrpcAuthConfig { ; allowed_headers: Vec<String> }
}

wire! {
    /// `HTTPAuthConfig`.
    HttpAuthConfig {
        ;
        path: String,
        allowed_headers: Vec<String>,
        allowed_response_headers: Vec<String>,
    }
}

wire! {
    /// `ForwardBodyConfig`.
    ForwardBodyConfig { ; max_size: i32 }
}
