// Made of openapi/native.json by scripts/client-types.mjs.

export interface paths {
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show whether the process is alive
         * @description Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["getHealthz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show whether Postgres, Temporal and a worker are there
         * @description Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["getReadyz"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Counters and histograms for Prometheus
         * @description Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["getMetrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * This document
         * @description Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["getOpenapiJson"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi/{surface}.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The document of one surface alone
         * @description Needs no credential.
         *
         *     Problems: `not_found`, `invalid_request`, `internal`.
         */
        get: operations["getOpenapiBySurface}Jso"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tenants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List tenants, oldest first
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`.
         */
        get: operations["getTenants"];
        put?: never;
        /**
         * Make a tenant
         * @description Scope: `admin`.
         *
         *     Problems: `handle_taken`, `term_too_short`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postTenants"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tenants/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a tenant
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`.
         */
        get: operations["getTenantsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /**
         * Change a tenant's name, plan or settings
         * @description Scope: `admin`.
         *
         *     Problems: `term_too_short`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        patch: operations["patchTenantsById"];
        trace?: never;
    };
    "/api/v1/platform/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the ceilings of the installation
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`.
         */
        get: operations["getPlatformLimits"];
        /**
         * Set the ceilings of the installation
         * @description They hold for every tenant, for what is accepted or executed from then on. What is above one is refused; nothing is cut off. Single retries are never above one. With `digest` they take the place of those that were read, and of no others that somebody has set meanwhile.
         *
         *     Scope: `admin`.
         *
         *     Problems: `settings_changed`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        put: operations["putPlatformLimits"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/platform/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show for how long every tenant keeps things at least
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`.
         */
        get: operations["getPlatformRetention"];
        /**
         * Set for how long every tenant keeps things at least
         * @description They hold at once for every tenant: a shorter term that was set before counts as the floor, and a new one is refused (`term_too_short`). With `digest` they take the place of those that were read, and of no others that somebody has set meanwhile.
         *
         *     Scope: `admin`.
         *
         *     Problems: `settings_changed`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        put: operations["putPlatformRetention"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a tenant's API keys, newest first
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getKeys"];
        put?: never;
        /**
         * Make an API key
         * @description The answer holds the key, once: only its hash is kept.
         *
         *     Scope: `write:keys`.
         *
         *     Problems: `tenant_required`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postKeys"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an API key, at once
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`.
         */
        delete: operations["deleteKeysById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jwt-issuers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a tenant's issuers of tokens, newest first
         * @description Lists the issuers of the installation where the call names no tenant.
         *
         *     Scope: `write:keys`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`.
         */
        get: operations["getJwtIssuers"];
        put?: never;
        /**
         * Register an issuer of tokens (JWT)
         * @description Its tokens are credentials from then on, in every place where an API key is one. They must have `iss`, `aud` and `exp`. Tokens of an issuer that a tenant registers must come with the name of that tenant, by `Redrive-Tenant`, `X-Tenant-ID` or the path.
         *
         *     Scope: `write:keys`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postJwtIssuers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/jwt-issuers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Revoke an issuer of tokens, at once
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`.
         */
        delete: operations["deleteJwtIssuersById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show who is calling
         * @description Needs a credential of any scope.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`.
         */
        get: operations["getMe"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the policy of a tenant
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getPolicy"];
        /**
         * Set the policy of a tenant
         * @description Takes the place of the one before, as a whole: what is left out sets no limit. With `digest` it takes that of the one that was read, and of no other that somebody has set meanwhile. It counts for operations that are accepted, or plans that are executed, from then on. The floor of the platform can only be sharper.
         *
         *     Scope: `admin`.
         *
         *     Problems: `unknown_ids`, `policy_changed`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        put: operations["putPolicy"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/platform/policy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the floor under all policies
         * @description Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`.
         */
        get: operations["getPlatformPolicy"];
        /**
         * Set the floor under all policies
         * @description Holds for every tenant, with its own policy: of each member the sharper one.
         *
         *     Scope: `admin`.
         *
         *     Problems: `policy_changed`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        put: operations["putPlatformPolicy"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List endpoints, oldest first, without those that are deleted
         * @description Scope: `read:endpoints`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getEndpoints"];
        put?: never;
        /**
         * Make an endpoint
         * @description The answer holds the signing secret, once. Its maker can receive the events that follow; an endpoint that is made with a grant, or without `write:endpoints`, never gets events that were accepted before.
         *
         *     Scope: `write:endpoints`, or its part `edit:endpoints`.
         *
         *     Problems: `endpoint_url_refused`, `handle_taken`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEndpoints"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an endpoint, deleted ones too
         * @description Scope: `read:endpoints`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getEndpointsById"];
        put?: never;
        post?: never;
        /**
         * Delete an endpoint
         * @description Nothing is sent to it any more. Records that name it stay readable, and its handle is free again.
         *
         *     Scope: `write:endpoints`, or its part `delete:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`.
         */
        delete: operations["deleteEndpointsById"];
        options?: never;
        head?: never;
        /**
         * Change an endpoint, which makes its next version
         * @description With a key that was made with a grant, or any credential without `write:endpoints`: a new origin (scheme, host or port of the URL or of the status request) needs the custom headers sent again, certificates stay as they are, and events that were accepted before go on to the old URL until somebody with `write:endpoints` sets it.
         *
         *     Scope: `write:endpoints`, or its part `edit:endpoints`.
         *
         *     Problems: `endpoint_url_refused`, `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        patch: operations["patchEndpointsById"];
        trace?: never;
    };
    "/api/v1/endpoints/{id}/enable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Enable an endpoint
         * @description Events from now on are delivered; those that it missed can be retried. All that is held against it is lifted, also where it is enabled already: an open circuit, a narrowed window, and the wait that it asked for in Retry-After. Deliveries that waited for it go on at once.
         *
         *     Scope: `write:endpoints`, or its part `edit:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEndpointsByIdEnable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints/{id}/disable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Disable an endpoint
         * @description Events for it are kept as ignored deliveries, which can be retried once it is enabled, and so are first deliveries and automatic retries that are under way. Items that operations have queued or scheduled there wait until it is enabled, and are ignored when the patience of their operation ends (`options.disabledPatienceMs`); deliveries that an operation selects from now on are excluded (`endpoint_disabled`).
         *
         *     Scope: `write:endpoints`, or its part `edit:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEndpointsByIdDisable"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints/{id}/rotate-secret": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give an endpoint a new signing secret
         * @description From the answer on requests are signed with both secrets until the old one has run out, and then with the new one alone. The answer holds the new one, once.
         *
         *     Scope: `write:endpoints`, or its part `rotate:secrets`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEndpointsByIdRotateSecret"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints/{id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a test event to an endpoint
         * @description Makes an event of the type `endpoint.test` and delivers it to this endpoint, whatever it asks for: signed, paced, recorded and tried again like any other, for a minute. Whatever becomes of it counts for nothing that protects the endpoint, and opens no outage. It is marked `test`, and otherwise a delivery like any other.
         *
         *     Scope: `write:endpoints`, or its part `edit:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEndpointsByIdTest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/endpoints/{id}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the versions of an endpoint, newest first
         * @description Each with the members that it changed. Who changed them is in the audit (`endpoint.changed`).
         *
         *     Scope: `read:endpoints`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getEndpointsByIdVersions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/listeners": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Open a listener
         * @description Makes an endpoint of its own that gets the events which are accepted from now on, signed with the secret of the answer. It ends with its connection, or after 60 seconds without a word of whoever listens. What fails there is not tried again by itself, opens no outage, and is marked `test`. 5 of a tenant are open at a time.
         *
         *     Scope: `write:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postListeners"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/listeners/{id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Receive the requests of a listener (server-sent events)
         * @description Holds the listener: it ends with this connection, and cannot be connected to again. Sends an event `listening`, and then for each request an event `request` with `{token, deliveryId, headers, body, answerBy, answerWithinMs}`: the headers with the signature, and the body as text, to be sent byte for byte in UTF-8. Each is answered with its token at `…/answers`; where that does not come until `answerBy`, which is `answerWithinMs` from when the event was sent, the request has failed and may have arrived. An event `check` asks every 15 seconds whether somebody is there: answer it by `{"here": true}` at `…/answers`. Where nobody has for 60 seconds, the listener ends. An event `ended` says that it has ended, and `why`: `expired`, `endpoint_deleted` or `connected_elsewhere`.
         *
         *     Scope: `write:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getListenersByIdStream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/listeners/{id}/answers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Answer a request of a listener
         * @description Hands the answer of the receiver to the sender, which treats it as that of any endpoint. An answer counts once, and in time. `{"here": true}` answers an event `check` of the stream.
         *
         *     Scope: `write:endpoints`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postListenersByIdAnswers"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List events, newest first
         * @description Each with the states of its deliveries, and without its payload.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getEvents"];
        put?: never;
        /**
         * Accept one event, or up to 1,000
         * @description All are accepted or none. Once answered, they are durable; deliveries to matching endpoints begin at once. Repeating a call is safe where its events have an `id`.
         *
         *     Scope: `write:events`.
         *
         *     Problems: `payload_too_large`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postEvents"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an event with its deliveries
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getEventsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/{id}/payload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Erase the payload of an event, at once and for good
         * @description The answers of receivers go with it, for they may repeat it; the event, its deliveries and its receipt stay. A delivery that waits ends `ignored` with `payload_expired`. One that is being sent is not called back, and one of unknown outcome stays so: neither is sent again, and a repeat of the id is suppressed until that attempt has ended, or somebody has said what became of it. An event that repeats this one has a copy of its own, and is erased by itself.
         *
         *     Scope: `write:deliveries`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`.
         */
        delete: operations["deleteEventsByIdPayload"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Settle deliveries whose outcome is unknown
         * @description Settles all selected deliveries whose outcome is unknown, in batches. One that becomes unknown meanwhile is left for the next call, and one that somebody else settles meanwhile stays as they said. A request that was broken off goes on when it is repeated with its key. With `retry` nothing is sent, and all stays unknown, where a retry of the same would have to wait: `needs_approval` by the policy, `state_conflict` within a freeze window, `quota_exceeded` above a ceiling of the installation. Settle it as `failed` and retry it by `POST /api/v1/retries`, which waits.
         *
         *     Scope: `write:deliveries`.
         *
         *     Problems: `idempotency_key_required`, `idempotency_key_invalid`, `idempotency_key_reused`, `unknown_ids`, `needs_approval`, `quota_exceeded`, `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postDeliveriesResolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Settle a delivery whose outcome is unknown
         * @description With `retry` it stays unknown, and `state_conflict` says why, where nothing can be sent: its endpoint is disabled or deleted, or its payload is gone. It stays so, too, where the policy would hold a retry of it (`needs_approval`): settle it as `failed` and retry it by `POST /api/v1/retries`, which waits.
         *
         *     Scope: `write:deliveries`.
         *
         *     Problems: `state_conflict`, `needs_approval`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postDeliveriesByIdResolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count attempts by time
         * @description Every attempt that is recorded is counted, also the last of them. Minutes are kept for 48 hours, hours and days for 90 days. One answer has at most 1500 buckets.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getStatsAttempts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stats/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count accepted events by time
         * @description Events are numbered in the order of their acceptance: each count is the difference of two numbers, whatever the range. What is past its term is not counted any more. One answer has at most 1500 buckets.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getStatsEvents"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Find something by an id or an exact name
         * @description Takes the id of a delivery, execution, event, operation, plan, endpoint, listener, outage, import, key or act (end_, evt_, dlv_ and so on, or a uuid), a `webhook-id`, also one that was kept by an import, your id of an event, the key of an event, the handle of an endpoint, a ticket of an operation, and the name of an action. Only exact names are found. Endpoints, imports, keys and acts are found by credentials that may read them.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getSearch"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/count": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Count deliveries
         * @description Counts what `GET /api/v1/deliveries` lists with the same filter, within half a second. A number that is `atLeast` is never too large.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getDeliveriesCount"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/failures/groups": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Group what failed
         * @description Groups the deliveries that a filter selects, the failed ones where it names no state, within half a second. Where the numbers are `atLeast` they are those of the newest deliveries. The answer is one snapshot: the groups add up to `count`.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getFailuresGroups"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List deliveries, newest first
         * @description With `Accept: application/x-ndjson` all of them are streamed, one JSON object a line, however many there are; `limit` does not apply then. A stream that ends early is cut off without its last chunk. With `state=unknown` these are the `webhookId`s to ask a receiver for.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getDeliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a delivery with its executions and their attempts
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getDeliveriesById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/deliveries/{id}/advice": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The safest next step about a delivery, and why
         * @description Decided by the same function as every retry, and then by why the last attempt failed. It is advice: nothing is changed, and what is so now may be otherwise at the next call.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getDeliveriesByIdAdvice"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/executions/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an execution with its attempts
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getExecutionsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/acks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Acknowledge deliveries that were received
         * @description For receivers: settles deliveries whose outcome is not known, at any time and in any state. Repeating it is safe. An array is decided entry by entry.
         *
         *     Needs no credential.
         *
         *     Problems: `ack_refused`, `rate_limited`, `temporarily_unavailable`, `malformed_json`, `invalid_request`, `internal`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postAcks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/plans": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Plan a retry or replay
         * @description Answers at once; the plan is then made, and waits 24 hours for its execution. Nothing is sent, and nobody else is kept from its deliveries. Its body is that of a retry.
         *
         *     Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `idempotency_key_invalid`, `idempotency_key_reused`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesPlans"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/plans/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show a plan
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesPlansById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/plans/{id}/execute": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Execute a plan
         * @description Each of its deliveries becomes an item of its operation or is left out with the reason; nothing else is sent. Where a policy asks for words or approval, it waits for these first (`awaiting_approval`). Another execution of the same plan answers as the first.
         *
         *     Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `quota_exceeded`, `state_conflict`, `plan_changed`, `drift_too_large`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesPlansByIdExecute"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/plans/{id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the deliveries of a plan
         * @description With `risk` those that had it when the plan was made: exactly as many as the plan counts, with those that are `gone`. What is so now stands beside it.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `pruned`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesPlansByIdItems"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List operations, newest first
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetries"];
        put?: never;
        /**
         * Retry or replay deliveries
         * @description Starts one operation for any selection. The answer is durable: where Temporal is away, the operation begins when Temporal is back. A delivery that is being retried elsewhere is joined, not sent twice. With `dryRun: true` nothing is sent: the answer is a plan, which can be looked at, and executed, for 15 minutes.
         *
         *     Scope: `write:deliveries`.
         *
         *     Problems: `idempotency_key_required`, `quota_exceeded`, `idempotency_key_invalid`, `idempotency_key_reused`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetries"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an operation
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Pause an operation: nothing more is sent until it is resumed
         * @description Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdPause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel the unsent items of an operation, and close it
         * @description Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdCancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Resume a paused or halted operation
         * @description With `endpointIds` an operation that has a canary goes on at these endpoints alone, where a new canary goes first; what it has unsent for others is held until it is resumed again. Once nothing but that is left, it is halted.
         *
         *     Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `state_conflict`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdResume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change how fast an operation sends
         * @description Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `state_conflict`, `needs_approval`, `quota_exceeded`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdRate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Approve an operation that waits for it
         * @description By the hash of what its plan shows. Each actor counts once; never who has asked for it, by whatever credential, nor who has a credential that the requester made: administrators included. With the last approval it goes on, after its drift was looked at once more.
         *
         *     Scope: `approve:retries`.
         *
         *     Problems: `state_conflict`, `plan_changed`, `approver_refused`, `quota_exceeded`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdApprove"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/reject": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Reject an operation that waits for approval, and end it
         * @description One rejection is enough: it is cancelled, and nothing of it was sent.
         *
         *     Scope: `approve:retries`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdReject"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/emergency": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Let an operation run that waits for approval
         * @description Whoever may do this may do it for what they have asked for, too. It stays on the report.
         *
         *     Scope: `approve:emergency`.
         *
         *     Problems: `state_conflict`, `quota_exceeded`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdEmergency"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Give the reason or the ticket that an operation waits for
         * @description Scope: `write:deliveries`, or its part `recover:plans`.
         *
         *     Problems: `state_conflict`, `quota_exceeded`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postRetriesByIdExplain"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/endpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an operation by endpoint
         * @description The counts of each endpoint and how its canary stands. Of an operation that has closed they are as they were then. Counting reads its items: an answer is given again for a second, or for ten times as long as it took.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdEndpoints"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/samples": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an operation's counts over time
         * @description Samples are taken at most once a second while the counts move, and thinned out: the longer it takes, the further apart they are.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdSamples"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/items": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List an operation's items and exclusions
         * @description Once the operation has closed, its lines are served as they were hashed for its report: what was settled since is in the addenda, and in `as=now`. With `Accept: application/x-ndjson` all of them are streamed, one JSON object a line, however many there are, and with `Accept: text/csv` as a table; `limit` does not apply then. In the table a text that a spreadsheet would take for a formula stands behind an apostrophe. A stream that ends early is cut off without its last chunk.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `pruned`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdItems"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow an operation's progress (server-sent events)
         * @description Sends an event `progress` with the whole operation, but for its selection, now and after each change; at the end an event `closed`, which is the last. Comments in between keep the connection open. Each event has an id: with the last one in `Last-Event-ID` a stream that was cut begins with the events that are new, and one that had ended is answered 204. It ends when its credential does. 20 go on at a time for a credential and 200 for a tenant; a further one is `rate_limited`.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdStream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an operation's closure report
         * @description With `Accept: application/jose+json` the report as it was signed when the operation closed: a JWS (RFC 7515) in flattened JSON, whose payload has every number of the result, the acts that led to it, and the root of a hash tree over its ledger (docs/proof.md).
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdReport"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/workflow": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the workflow of an operation, as Temporal tells it
         * @description Asks Temporal, and a worker for what the run saw last. The facts of the operation and its items are those of `GET /api/v1/retries/{id}`, whatever this says.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdWorkflow"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/stream": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow everything of a tenant (server-sent events)
         * @description Sends an event `snapshot` with the newest 50 operations and those that are open, 100 of them at most, without their selections, and the outages that have not ended, without their counts; and then an event `changes` with those that have moved, several times a second at most. Each is `{asOf, operations, outages}`. Comments in between keep the connection open. Each event has an id: with the last one in `Last-Event-ID` a stream that was cut goes on with what has moved where nothing else has moved meanwhile, and begins with a snapshot otherwise. It ends when its credential does. 20 go on at a time for a credential and 200 for a tenant; a further one is `rate_limited`.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getStream"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/items/{deliveryId}/proof": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Prove one line of an operation's ledger
         * @description The line of one delivery, and the hashes that lead from it to the root that the signed report names: whoever holds the report can check it without the other lines (docs/proof.md).
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `state_conflict`, `pruned`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdItemsByDeliveryIdProof"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retries/{id}/report/addenda": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the addenda to an operation's closure report
         * @description Acknowledgements, status requests and resolutions that came after the operation had closed change nothing of its report: each addendum names the digest of the report, its own number, and the items that have changed since. One is signed at most once a minute.
         *
         *     Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getRetriesByIdReportAddenda"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/.well-known/redrive/jwks.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The public keys of signed reports (JWKS)
         * @description Open to anyone. Retired keys stay, so that what they signed can be verified; the first key is made when the first report is signed.
         *
         *     Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["get.wellKnownRedriveJwksJson"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/signing-keys/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign with a new key from now on
         * @description Makes a key and retires the one before, whose private part is forgotten. Reports that it signed stay valid.
         *
         *     Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postSigningKeysRotate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/signing-keys/{id}/revoke": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Revoke a signing key, at once
         * @description For a key whose private part may be known to others. Nothing is signed with it any more; the next report makes a new one. The key set shows when it was revoked.
         *
         *     Scope: `admin`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postSigningKeysByIdRevoke"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/outages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List outages, newest first
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_cursor`, `unknown_ids`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getOutages"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/outages/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an outage, with what it left
         * @description Scope: `read:deliveries`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getOutagesById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/outages/{id}/dismiss": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Dismiss an outage
         * @description Nothing more follows from it, and a plan that its recovery has led to and that nobody has executed is cancelled. Its deliveries stay as they are and can still be selected by it. While its endpoint stays down no other outage is opened.
         *
         *     Scope: `write:deliveries`.
         *
         *     Problems: `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postOutagesByIdDismiss"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List imports, newest first
         * @description Scope: `write:imports`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getImports"];
        put?: never;
        /**
         * Open an import of failures from another system
         * @description Says what the lines are and which endpoints of this tenant they are for. A tenant has one open import at a time. Nothing is sent by an import: it ends in deliveries that have failed, ready for a plan (`{"select": {"filter": {"ingestionBatchIds": ["imp_…"]}}}`).
         *
         *     Scope: `write:imports`.
         *
         *     Problems: `unknown_ids`, `import_open`, `quota_exceeded`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postImports"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show an import, with the line to go on with
         * @description Scope: `write:imports`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getImportsById"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports/{id}/lines": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Report on the lines of an import, in their order
         * @description With `Accept: application/x-ndjson` all of them are streamed, one JSON object a line, however many there are; `limit` does not apply then. Blank lines are counted only. The report is kept for 30 days after the end of the import. A stream that ends early is cut off without its last chunk.
         *
         *     Scope: `write:imports`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getImportsByIdLines"];
        /**
         * Send lines of the file
         * @description The body is the file, one JSON object a line, or its part from line `from` on. It is taken while it arrives, in batches: where the connection breaks off, send the file again, from `nextLine` or from line 1; lines that were taken are passed over. A line has at most 4 MiB and its payload 1 MiB, an import 16 GiB.
         *
         *     Scope: `write:imports`.
         *
         *     Problems: `state_conflict`, `lines_missing`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `unsupported_media_type`, `unsupported_content_encoding`, `body_too_large`.
         */
        put: operations["putImportsByIdLines"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports/{id}/close": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Close an import whose lines have all been sent
         * @description Scope: `write:imports`.
         *
         *     Problems: `state_conflict`, `lines_missing`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postImportsByIdClose"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/imports/{id}/abandon": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Abandon an import: it takes no further lines, and what it took stays
         * @description Scope: `write:imports`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postImportsByIdAbandon"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List who did what, oldest first
         * @description An act is listed when it has its place in the chain, within a second while a worker runs; what was read once is never preceded by another entry later, so that the last cursor, or a number, says how far one has read. With `Accept: application/x-ndjson` all of them are streamed, one JSON object a line, however many there are; `limit` does not apply then. A stream that ends early is cut off without its last chunk. Without a filter the lines are the whole chain, which can be verified offline.
         *
         *     Scope: `read:audit`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getAudit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit/checkpoints": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List the checkpoints of the audit, newest first
         * @description A checkpoint is kept, signed, and written to the log, once an hour where there are new entries. One that was stored elsewhere shows whether the chain was written anew since then; `head` is the end of the chain now, signed when it is asked for.
         *
         *     Scope: `read:audit`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getAuditCheckpoints"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/console/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Sign in to the console
         * @description Exchanges a credential, or the code of a link, for a cookie that only the console can use. The session is over after 12 hours without use, after 24 hours, or when the key, the token or its issuer expires or is revoked.
         *
         *     Needs no credential.
         *
         *     Problems: `tls_required`, `cross_origin_refused`, `credential_invalid`, `credential_expired`, `credential_revoked`, `sign_in_code_refused`, `not_found`, `rate_limited`, `temporarily_unavailable`, `invalid_request`, `internal`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postConsoleSession"];
        /**
         * Sign out of the console
         * @description Needs no credential.
         *
         *     Problems: `tls_required`, `cross_origin_refused`, `rate_limited`, `temporarily_unavailable`, `invalid_request`, `internal`.
         */
        delete: operations["deleteConsoleSession"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/signers/system": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Show the public key that this installation signs with
         * @description Needs no credential.
         *
         *     Problems: `invalid_request`, `internal`.
         */
        get: operations["getSignersSystem"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/signers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a tenant's signers, newest first
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getSigners"];
        put?: never;
        /**
         * Register a signer
         * @description The key proves by its signature that it is the tenant’s, so that nobody registers one that is not theirs. It may be registered with several tenants. Alone it may do nothing: see access rules. What rules that are there grant it is no more than the caller may do. To prove a signer that was registered without, register it again.
         *
         *     Scope: `write:keys`.
         *
         *     Problems: `tenant_required`, `handle_taken`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postSigners"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/signers/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove a signer, at once
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`.
         */
        delete: operations["deleteSignersById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/access-rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List a tenant's access rules, newest first
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_cursor`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `not_found`, `tenant_required`.
         */
        get: operations["getAccessRules"];
        put?: never;
        /**
         * Make an access rule
         * @description It grants no more than the caller may do: `retry-event` needs `write:deliveries`, `query-event` `read:deliveries`, `read` `read:endpoints`, and `any` all three.
         *
         *     Scope: `write:keys`.
         *
         *     Problems: `tenant_required`, `state_conflict`, `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `malformed_json`, `nested_too_deep`, `body_too_large`, `too_many_members`, `unsupported_media_type`, `unsupported_content_encoding`.
         */
        post: operations["postAccessRules"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/access-rules/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Remove an access rule, at once
         * @description Scope: `write:keys`.
         *
         *     Problems: `invalid_request`, `internal`, `temporarily_unavailable`, `credential_missing`, `credential_invalid`, `credential_expired`, `credential_revoked`, `insufficient_scope`, `rate_limited`, `session_ended`, `cross_origin_refused`, `not_found`, `tenant_required`.
         */
        delete: operations["deleteAccessRulesById"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Health: {
            /**
             * @description Always the same: the process answers.
             * @example alive
             * @enum {string}
             */
            status: "alive";
            /**
             * @description Version of Redrive.
             * @example 0.1.0
             */
            version: string;
        };
        /** @description An error (RFC 9457). */
        Problem: {
            /**
             * @description A page about the error; ends with its code.
             * @example https://redrive.dev/errors/invalid_request
             */
            type: string;
            /**
             * @description The error in a few words, the same for each code.
             * @example Invalid request
             */
            title: string;
            /**
             * @description The HTTP status again.
             * @example 400
             */
            status: number;
            /**
             * @description Stable code of the error: branch on this.
             * @example invalid_request
             * @enum {string}
             */
            code: "malformed_json" | "nested_too_deep" | "invalid_request" | "invalid_cursor" | "tenant_required" | "idempotency_key_required" | "idempotency_key_invalid" | "term_too_short" | "endpoint_url_refused" | "credential_missing" | "credential_invalid" | "credential_expired" | "credential_revoked" | "session_ended" | "sign_in_code_refused" | "ack_refused" | "insufficient_scope" | "tls_required" | "cross_origin_refused" | "quota_exceeded" | "approver_refused" | "not_found" | "unknown_ids" | "route_not_found" | "method_not_allowed" | "handle_taken" | "state_conflict" | "import_open" | "lines_missing" | "needs_approval" | "drift_too_large" | "pruned" | "plan_changed" | "policy_changed" | "settings_changed" | "body_too_large" | "payload_too_large" | "too_many_members" | "unsupported_media_type" | "unsupported_content_encoding" | "idempotency_key_reused" | "rate_limited" | "internal" | "temporarily_unavailable";
            /**
             * @description Explains this error, and says what to do about it.
             * @example Correct the members that `errors` names and send the request again.
             */
            detail: string;
            /**
             * @description Id of the request; also in the header `Request-Id` and in the logs.
             * @example req_0190f3c2a5b87c1e9d3f4a5b6c7d8e9f
             */
            instance: string;
            /** @description The parts of the request at fault, 100 at most. */
            errors?: {
                /**
                 * @description JSON Pointer to the member of the body, as a URI fragment.
                 * @example #/url
                 */
                pointer?: string;
                /**
                 * @description Name of the query parameter, path parameter or header.
                 * @example limit
                 */
                parameter?: string;
                /**
                 * @description Says what was expected.
                 * @example Expected a string.
                 */
                message: string;
                /**
                 * @description Stable code of this error.
                 * @example wrong_type
                 */
                code: string;
            }[];
            /**
             * @description With `drift_too_large`: what has changed since the plan was made, as the plan shows it.
             * @example {
             *       "gone": {
             *         "already_delivered": 120
             *       },
             *       "endpointChanged": [],
             *       "added": 3
             *     }
             */
            drift?: {
                [key: string]: unknown;
            };
        };
        Readiness: {
            /**
             * @description Every part is ready.
             * @example true
             */
            ready: boolean;
            /** @description Each part by itself. */
            parts: {
                /**
                 * @description The part.
                 * @example postgres
                 */
                name: string;
                /**
                 * @description It is ready.
                 * @example true
                 */
                ready: boolean;
                /**
                 * @description Its state in words.
                 * @example connected
                 */
                state: string;
            }[];
        };
        /** @description Owner of endpoints, events, deliveries and operations. */
        Tenant: {
            /**
             * @description Id of the tenant.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name that stands for the tenant in calls and in Temporal; it never changes.
             * @example acme
             */
            handle: string;
            /**
             * @description Name for people.
             * @example Acme Ltd
             */
            name: string | null;
            /**
             * @description Plan, which gates calls of surfaces that know plans; without one nothing is gated.
             * @example pro
             * @enum {string|null}
             */
            plan: "free" | "pro" | "business" | null;
            /** @description Retention and quotas. */
            settings: {
                /**
                 * @description Payloads go when they are older; their events and deliveries stay. No limit where null.
                 * @example 30
                 */
                payloadRetentionDays: number | null;
                /**
                 * @description Events go when they are older, with their payloads, deliveries, executions and attempts; no shorter than `payloadRetentionDays` and `receiptRetentionDays`. What is open, or held by an operation, a plan or an outage, goes when that has ended. A new tenant has 90. No limit where null.
                 * @example 90
                 */
                eventRetentionDays: number | null;
                /**
                 * @description Receipts are shown for so long, and those of refused requests go then. Where null, for as long as the event is kept. No limit where null.
                 * @example 60
                 */
                receiptRetentionDays: number | null;
                /**
                 * @description Lines of closed ledgers go when they are older, with the plans of their operations; signed reports, counts and roots stay. No limit where null.
                 * @example 730
                 */
                ledgerRetentionDays: number | null;
                /**
                 * @description Operations go so long after they have closed, with their reports, once none of their deliveries is kept; no shorter than `ledgerRetentionDays`, which is to be set, too. No limit where null.
                 * @example 3650
                 */
                reportRetentionDays: number | null;
                /**
                 * @description Replays of receipts in 24 hours at most. No limit where null.
                 * @example 100
                 */
                replaysPerDay: number | null;
            };
            retention: components["schemas"]["RetentionInForce"];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was last changed.
             * @example 2026-11-03T02:00:00.000Z
             */
            updatedAt: string;
        };
        /** @description For how long things are kept: by the settings, and no less than the floors of the installation. */
        RetentionInForce: {
            /**
             * @description Days for which payloads are kept. For ever where null.
             * @example 30
             */
            payloads: number | null;
            /**
             * @description Days for which events are kept, with all that hangs on them. For ever where null.
             * @example 90
             */
            events: number | null;
            /**
             * @description Days for which receipts are shown. For ever where null.
             * @example 90
             */
            receipts: number | null;
            /**
             * @description Days for which the lines of a ledger are kept. For ever where null.
             * @example 730
             */
            ledgers: number | null;
            /**
             * @description Days for which closed operations and their reports are kept. For ever where null.
             * @example 3650
             */
            reports: number | null;
        };
        NewTenant: {
            /**
             * @description Name that stands for the tenant in calls and in Temporal; it never changes.
             * @example acme
             */
            handle: string;
            /**
             * @description Name for people.
             * @example Acme Ltd
             */
            name?: string;
            /**
             * @description Plan, which gates calls of surfaces that know plans; without one nothing is gated.
             * @example pro
             * @enum {string}
             */
            plan?: "free" | "pro" | "business";
            settings?: components["schemas"]["TenantSettingsChange"];
        };
        /** @description Retention and quotas. A member that is left out stays as it is; null takes the limit away. */
        TenantSettingsChange: {
            /**
             * @description Payloads go when they are older; their events and deliveries stay. No limit where null.
             * @example 30
             */
            payloadRetentionDays?: number | null;
            /**
             * @description Events go when they are older, with their payloads, deliveries, executions and attempts; no shorter than `payloadRetentionDays` and `receiptRetentionDays`. What is open, or held by an operation, a plan or an outage, goes when that has ended. A new tenant has 90. No limit where null.
             * @example 90
             */
            eventRetentionDays?: number | null;
            /**
             * @description Receipts are shown for so long, and those of refused requests go then. Where null, for as long as the event is kept. No limit where null.
             * @example 60
             */
            receiptRetentionDays?: number | null;
            /**
             * @description Lines of closed ledgers go when they are older, with the plans of their operations; signed reports, counts and roots stay. No limit where null.
             * @example 730
             */
            ledgerRetentionDays?: number | null;
            /**
             * @description Operations go so long after they have closed, with their reports, once none of their deliveries is kept; no shorter than `ledgerRetentionDays`, which is to be set, too. No limit where null.
             * @example 3650
             */
            reportRetentionDays?: number | null;
            /**
             * @description Replays of receipts in 24 hours at most. No limit where null.
             * @example 100
             */
            replaysPerDay?: number | null;
        };
        /** @description A member that is left out stays as it is; null takes the value away. */
        TenantChange: {
            /**
             * @description Name for people.
             * @example Acme Ltd
             */
            name?: string | null;
            /**
             * @description Plan, which gates calls of surfaces that know plans; without one nothing is gated.
             * @example pro
             * @enum {string|null}
             */
            plan?: "free" | "pro" | "business" | null;
            settings?: components["schemas"]["TenantSettingsChange"];
        };
        /** @description Ceilings of the installation: above one an operation is refused (`quota_exceeded`). */
        PlatformLimits: {
            /**
             * @description Deliveries that one operation takes at most. No ceiling where null.
             * @example 5000000
             */
            itemsPerOperation: number | null;
            /**
             * @description Deliveries that the operations of a tenant take on a day at most, in UTC. No ceiling where null.
             * @example 20000000
             */
            itemsPerDay: number | null;
            /**
             * @description Operations of a tenant that are open at a time at most. No ceiling where null.
             * @example 50
             */
            openOperations: number | null;
            /**
             * @description Rate of one operation at most; one that names no rate is above it. No ceiling where null.
             * @example 2000
             */
            ratePerSecond: number | null;
            /**
             * @description SHA-256 of the ceilings: sent with others, they are set in the place of these alone.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest: string;
        };
        /** @description All ceilings: one that is left out is taken away. */
        NewPlatformLimits: {
            /**
             * @description Deliveries that one operation takes at most. No ceiling where null.
             * @example 5000000
             */
            itemsPerOperation?: number | null;
            /**
             * @description Deliveries that the operations of a tenant take on a day at most, in UTC. No ceiling where null.
             * @example 20000000
             */
            itemsPerDay?: number | null;
            /**
             * @description Operations of a tenant that are open at a time at most. No ceiling where null.
             * @example 50
             */
            openOperations?: number | null;
            /**
             * @description Rate of one operation at most; one that names no rate is above it. No ceiling where null.
             * @example 2000
             */
            ratePerSecond?: number | null;
            /**
             * @description `digest` of the ceilings that were read: these are set in their place, and in that of no others. Without it whatever is there is replaced.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest?: string;
        };
        /** @description For how long every tenant keeps things at least, whatever it has set. */
        RetentionFloors: {
            /**
             * @description Days for which every tenant keeps payloads at least. No floor where null.
             * @example 7
             */
            payloads: number | null;
            /**
             * @description Days for which every tenant keeps events, with all that hangs on them, at least. No floor where null.
             * @example 30
             */
            events: number | null;
            /**
             * @description Days for which every tenant keeps receipts at least. No floor where null.
             * @example 30
             */
            receipts: number | null;
            /**
             * @description Days for which every tenant keeps the lines of ledgers at least. No floor where null.
             * @example 365
             */
            ledgers: number | null;
            /**
             * @description Days for which every tenant keeps closed operations and their reports at least. No floor where null.
             * @example 3650
             */
            reports: number | null;
            /**
             * @description SHA-256 of the floors: sent with others, they are set in the place of these alone.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest: string;
        };
        /** @description All floors: one that is left out is taken away. */
        NewRetentionFloors: {
            /**
             * @description Days for which every tenant keeps payloads at least. No floor where null.
             * @example 7
             */
            payloads?: number | null;
            /**
             * @description Days for which every tenant keeps events, with all that hangs on them, at least. No floor where null.
             * @example 30
             */
            events?: number | null;
            /**
             * @description Days for which every tenant keeps receipts at least. No floor where null.
             * @example 30
             */
            receipts?: number | null;
            /**
             * @description Days for which every tenant keeps the lines of ledgers at least. No floor where null.
             * @example 365
             */
            ledgers?: number | null;
            /**
             * @description Days for which every tenant keeps closed operations and their reports at least. No floor where null.
             * @example 3650
             */
            reports?: number | null;
            /**
             * @description `digest` of the floors that were read: these are set in their place, and in that of no others. Without it whatever is there is replaced.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest?: string;
        };
        CreatedKey: {
            /**
             * @description Id of the key; not the key itself.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name for people: who or what uses the key.
             * @example orders service
             */
            name: string;
            /**
             * @description The scopes of the key.
             * @example [
             *       "write:events"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * @description The grant that it was made with; such a key reads no bodies.
             * @example observer
             * @enum {string|null}
             */
            grant: "observer" | "operator" | "recovery_operator" | "admin" | null;
            /**
             * @description The person or service that it stands for; it approves nothing without one.
             * @example actor:alice
             */
            actor: string | null;
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description From when on it is refused.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string | null;
            /**
             * Format: date-time
             * @description When it was revoked.
             * @example 2026-11-03T02:00:00.000Z
             */
            revokedAt: string | null;
            /**
             * @description The tenant it belongs to.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenantId: string;
            /**
             * @description The key. It is shown now and never again.
             * @example rdk_…
             */
            key: string;
        };
        NewKey: {
            /**
             * @description Id or handle of the tenant; of the calling key where left out.
             * @example acme
             */
            tenantId?: string;
            /**
             * @description Name for people: who or what uses the key.
             * @example orders service
             */
            name: string;
            /**
             * @description The scopes of the key; no more than those of the calling key. Required without a grant.
             * @example [
             *       "write:events"
             *     ]
             */
            scopes?: ("write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * @description In the place of scopes: observer, operator, recovery_operator or admin (docs/credentials.md).
             * @example observer
             * @enum {string}
             */
            grant?: "observer" | "operator" | "recovery_operator" | "admin";
            /**
             * @description The person or service that the key stands for: two keys of one actor are one actor in approvals and in the audit. Shown as `actor:<name>`; the actor of a token, `jwt:iss_…:<subject>`, is taken as it is.
             * @example alice
             */
            actor?: string;
            /**
             * Format: date-time
             * @description From when on it is refused; never where left out.
             * @example 2026-11-03T02:00:00Z
             */
            expiresAt?: string;
        };
        /** @description An API key; the key itself is shown once only. */
        Key: {
            /**
             * @description Id of the key; not the key itself.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name for people: who or what uses the key.
             * @example orders service
             */
            name: string;
            /**
             * @description The scopes of the key.
             * @example [
             *       "write:events"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * @description The grant that it was made with; such a key reads no bodies.
             * @example observer
             * @enum {string|null}
             */
            grant: "observer" | "operator" | "recovery_operator" | "admin" | null;
            /**
             * @description The person or service that it stands for; it approves nothing without one.
             * @example actor:alice
             */
            actor: string | null;
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description From when on it is refused.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string | null;
            /**
             * Format: date-time
             * @description When it was revoked.
             * @example 2026-11-03T02:00:00.000Z
             */
            revokedAt: string | null;
        };
        CreatedJwtIssuer: {
            /**
             * @description Id of the issuer.
             * @example iss_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The tenant its tokens act for; null: the installation.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenantId: string | null;
            /**
             * @description Name for people: whose tokens these are.
             * @example our identity provider
             */
            name: string;
            /**
             * @description The exact `iss` of its tokens.
             * @example https://id.acme.example/
             */
            issuer: string;
            /**
             * @description The exact text that `aud` of its tokens must be or hold.
             * @example https://redrive.acme.example
             */
            audience: string;
            /**
             * @description The one algorithm that is accepted, regardless of the header of a token.
             * @example EdDSA
             * @enum {string}
             */
            algorithm: "HS256" | "EdDSA" | "RS256";
            jwks: components["schemas"]["PublicKeys"];
            /**
             * @description Where it publishes its keys.
             * @example https://id.acme.example/.well-known/jwks.json
             */
            jwksUrl: string | null;
            /**
             * @description The scopes that its tokens have at most.
             * @example [
             *       "write:deliveries"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * Format: date-time
             * @description When it was registered.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was revoked.
             * @example 2026-11-03T02:00:00.000Z
             */
            revokedAt: string | null;
            /**
             * @description The secret that was made, as text. It is shown now and never again.
             * @example q3Jx…
             */
            secret?: string;
        };
        /** @description A JWK set without a private member. */
        PublicKeys: {
            /** @description Public keys as JWK (RFC 7517), 20 at most. */
            keys: components["schemas"]["PublicKey"][];
        } | null;
        /** @description A public key (RFC 7517). */
        PublicKey: {
            /**
             * @description Type of the key.
             * @example OKP
             * @enum {string}
             */
            kty: "OKP" | "RSA";
        } & {
            [key: string]: unknown;
        };
        NewJwtIssuer: {
            /**
             * @description Id or handle of the tenant; the tenant of the call where left out, or the installation where the call names none.
             * @example acme
             */
            tenantId?: string;
            /**
             * @description Name for people: whose tokens these are.
             * @example our identity provider
             */
            name: string;
            /**
             * @description The exact `iss` of its tokens.
             * @example https://id.acme.example/
             */
            issuer: string;
            /**
             * @description The exact text that `aud` of its tokens must be or hold.
             * @example https://redrive.acme.example
             */
            audience: string;
            /**
             * @description The one algorithm that is accepted, regardless of the header of a token.
             * @example EdDSA
             * @enum {string}
             */
            algorithm: "HS256" | "EdDSA" | "RS256";
            /**
             * @description With HS256: the shared secret, 32 bytes of UTF-8 or more. One is made and shown once where left out.
             * @example a-secret-of-at-least-thirty-two-bytes
             */
            secret?: string;
            jwks?: components["schemas"]["PublicKeys"];
            /**
             * @description With EdDSA or RS256, instead of `jwks`: where the issuer publishes its keys.
             * @example https://id.acme.example/.well-known/jwks.json
             */
            jwksUrl?: string;
            /**
             * @description The scopes of its tokens; no more than those of the calling credential, and `admin` for the installation only. A token with a claim `scope` or `scp` has only those of them that the claim names, too.
             * @example [
             *       "write:deliveries"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
        };
        /** @description An issuer whose tokens are accepted as credentials. */
        JwtIssuer: {
            /**
             * @description Id of the issuer.
             * @example iss_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The tenant its tokens act for; null: the installation.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenantId: string | null;
            /**
             * @description Name for people: whose tokens these are.
             * @example our identity provider
             */
            name: string;
            /**
             * @description The exact `iss` of its tokens.
             * @example https://id.acme.example/
             */
            issuer: string;
            /**
             * @description The exact text that `aud` of its tokens must be or hold.
             * @example https://redrive.acme.example
             */
            audience: string;
            /**
             * @description The one algorithm that is accepted, regardless of the header of a token.
             * @example EdDSA
             * @enum {string}
             */
            algorithm: "HS256" | "EdDSA" | "RS256";
            jwks: components["schemas"]["PublicKeys"];
            /**
             * @description Where it publishes its keys.
             * @example https://id.acme.example/.well-known/jwks.json
             */
            jwksUrl: string | null;
            /**
             * @description The scopes that its tokens have at most.
             * @example [
             *       "write:deliveries"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * Format: date-time
             * @description When it was registered.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was revoked.
             * @example 2026-11-03T02:00:00.000Z
             */
            revokedAt: string | null;
        };
        /** @description The caller. */
        Me: {
            /**
             * @description Who one is, as audit, operations and approvals name it: a key, the actor that it carries, or the issuer and subject of a token.
             * @example actor:alice
             */
            actor: string;
            /**
             * @description The key, where the credential is one.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            keyId: string | null;
            /**
             * @description The grant that the key was made with.
             * @example null
             * @enum {string|null}
             */
            grant: "observer" | "operator" | "recovery_operator" | "admin" | null;
            /** @description The tenant of the call; null for a key of the installation that names none. */
            tenant: {
                /**
                 * @description Its id.
                 * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Its handle.
                 * @example acme
                 */
                handle: string;
            } | null;
            /**
             * @description What one may do.
             * @example [
             *       "read:deliveries"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /** @description The rules that hold for the tenant; null where there are none. */
            policy: {
                /**
                 * @description An operation of more deliveries needs a reason.
                 * @example 100
                 */
                reasonAbove: number | null;
                /**
                 * @description An operation of more deliveries waits for approval.
                 * @example 1000
                 */
                approveAbove: number | null;
                /**
                 * @description It waits for approval, however small it is: where a delivery of it may have arrived, was first sent to another address, or was delivered and is replayed.
                 * @example [
                 *       "mayHaveArrived"
                 *     ]
                 */
                approveWhen: ("mayHaveArrived" | "endpointChanged" | "replayOfDelivered")[];
                /** @description Who approves: never who asked for it, whatever they may do otherwise. */
                approvers: {
                    /**
                     * @description How many distinct actors approve.
                     * @example 2
                     */
                    count: number;
                };
                /**
                 * @description An operation that exceeds one waits for approval.
                 * @example {
                 *       "itemsPerDay": 100000
                 *     }
                 */
                quotas: {
                    /**
                     * @description Deliveries of one operation.
                     * @example 10000
                     */
                    itemsPerOperation: number | null;
                    /**
                     * @description Deliveries of all operations of a day, in UTC.
                     * @example 100000
                     */
                    itemsPerDay: number | null;
                    /**
                     * @description Operations at the same time.
                     * @example 5
                     */
                    openOperations: number | null;
                    /**
                     * @description Requests per second of one operation; one without a rate of its own is above it.
                     * @example 100
                     */
                    ratePerSecond: number | null;
                };
                /** @description Spans within which no bulk item is sent. */
                freezeWindows: {
                    /**
                     * @description Name of a zone (IANA).
                     * @example Europe/Berlin
                     */
                    zone: string;
                    /**
                     * @description The days on which it begins.
                     * @example [
                     *       "mon",
                     *       "tue"
                     *     ]
                     */
                    days: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
                    /**
                     * @description When it begins, by the clocks of its zone.
                     * @example 22:00
                     */
                    from: string;
                    /**
                     * @description When it ends; a window whose end is not after its beginning passes midnight.
                     * @example 06:00
                     */
                    to: string;
                    /** @description The endpoints that it is for; all where null. */
                    endpoints: string[] | null;
                }[];
                /**
                 * @description The forms of a ticket: it has each of them.
                 * @example [
                 *       "[A-Z]{2,5}-\\d+"
                 *     ]
                 */
                ticketPatterns: string[];
                /**
                 * @description SHA-256 by which reports and audit name it.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                digest: string;
            } | null;
        };
        /** @description The rules for what may run by itself. */
        TenantPolicy: {
            /**
             * @description The tenant whose policy it is; that of the platform for the floor.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            policy: components["schemas"]["Policy"];
            /**
             * @description SHA-256 of `policy`, without the floor: sent with another one, it is set in the place of this one alone.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest: string;
            /** @description What holds, with the floor of the platform; null where neither has ever been set. */
            inForce: {
                /**
                 * @description An operation of more deliveries needs a reason.
                 * @example 100
                 */
                reasonAbove: number | null;
                /**
                 * @description An operation of more deliveries waits for approval.
                 * @example 1000
                 */
                approveAbove: number | null;
                /**
                 * @description It waits for approval, however small it is: where a delivery of it may have arrived, was first sent to another address, or was delivered and is replayed.
                 * @example [
                 *       "mayHaveArrived"
                 *     ]
                 */
                approveWhen: ("mayHaveArrived" | "endpointChanged" | "replayOfDelivered")[];
                /** @description Who approves: never who asked for it, whatever they may do otherwise. */
                approvers: {
                    /**
                     * @description How many distinct actors approve.
                     * @example 2
                     */
                    count: number;
                };
                /**
                 * @description An operation that exceeds one waits for approval.
                 * @example {
                 *       "itemsPerDay": 100000
                 *     }
                 */
                quotas: {
                    /**
                     * @description Deliveries of one operation.
                     * @example 10000
                     */
                    itemsPerOperation: number | null;
                    /**
                     * @description Deliveries of all operations of a day, in UTC.
                     * @example 100000
                     */
                    itemsPerDay: number | null;
                    /**
                     * @description Operations at the same time.
                     * @example 5
                     */
                    openOperations: number | null;
                    /**
                     * @description Requests per second of one operation; one without a rate of its own is above it.
                     * @example 100
                     */
                    ratePerSecond: number | null;
                };
                /** @description Spans within which no bulk item is sent. */
                freezeWindows: {
                    /**
                     * @description Name of a zone (IANA).
                     * @example Europe/Berlin
                     */
                    zone: string;
                    /**
                     * @description The days on which it begins.
                     * @example [
                     *       "mon",
                     *       "tue"
                     *     ]
                     */
                    days: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
                    /**
                     * @description When it begins, by the clocks of its zone.
                     * @example 22:00
                     */
                    from: string;
                    /**
                     * @description When it ends; a window whose end is not after its beginning passes midnight.
                     * @example 06:00
                     */
                    to: string;
                    /** @description The endpoints that it is for; all where null. */
                    endpoints: string[] | null;
                }[];
                /**
                 * @description The forms of a ticket: it has each of them.
                 * @example [
                 *       "[A-Z]{2,5}-\\d+"
                 *     ]
                 */
                ticketPatterns: string[];
                /**
                 * @description SHA-256 by which reports and audit name it.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                digest: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was set.
             * @example 2026-11-03T02:00:00.000Z
             */
            changedAt: string | null;
            /**
             * @description By whom, as the credential names them.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            changedBy: string | null;
        };
        /** @description Rules for what may run by itself; null sets no limit. */
        Policy: {
            /**
             * @description An operation of more deliveries needs a reason.
             * @example 100
             */
            reasonAbove: number | null;
            /**
             * @description An operation of more deliveries waits for approval.
             * @example 1000
             */
            approveAbove: number | null;
            /**
             * @description It waits for approval, however small it is: where a delivery of it may have arrived, was first sent to another address, or was delivered and is replayed.
             * @example [
             *       "mayHaveArrived"
             *     ]
             */
            approveWhen: ("mayHaveArrived" | "endpointChanged" | "replayOfDelivered")[];
            /** @description Who approves: never who asked for it, whatever they may do otherwise. */
            approvers: {
                /**
                 * @description How many distinct actors approve.
                 * @example 2
                 */
                count: number;
            };
            /**
             * @description An operation that exceeds one waits for approval.
             * @example {
             *       "itemsPerDay": 100000
             *     }
             */
            quotas: {
                /**
                 * @description Deliveries of one operation.
                 * @example 10000
                 */
                itemsPerOperation: number | null;
                /**
                 * @description Deliveries of all operations of a day, in UTC.
                 * @example 100000
                 */
                itemsPerDay: number | null;
                /**
                 * @description Operations at the same time.
                 * @example 5
                 */
                openOperations: number | null;
                /**
                 * @description Requests per second of one operation; one without a rate of its own is above it.
                 * @example 100
                 */
                ratePerSecond: number | null;
            };
            /** @description Spans within which no bulk item is sent. */
            freezeWindows: {
                /**
                 * @description Name of a zone (IANA).
                 * @example Europe/Berlin
                 */
                zone: string;
                /**
                 * @description The days on which it begins.
                 * @example [
                 *       "mon",
                 *       "tue"
                 *     ]
                 */
                days: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
                /**
                 * @description When it begins, by the clocks of its zone.
                 * @example 22:00
                 */
                from: string;
                /**
                 * @description When it ends; a window whose end is not after its beginning passes midnight.
                 * @example 06:00
                 */
                to: string;
                /** @description The endpoints that it is for; all where null. */
                endpoints: string[] | null;
            }[];
            /**
             * @description It needs a ticket of this form, too: a small part of regular expressions, which has to match the whole ticket (docs/policy.md). Only with `reasonAbove`.
             * @example [A-Z]{2,5}-\d+
             */
            ticketPattern: string | null;
        };
        PolicyBody: {
            /**
             * @description `digest` of the policy that was read: it is set in the place of that one, and of no other. Without it whatever is there is replaced.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            digest?: string;
            /**
             * @description An operation of more deliveries needs a reason.
             * @example 100
             */
            reasonAbove?: number;
            /**
             * @description It needs a ticket of this form, too: a small part of regular expressions, which has to match the whole ticket (docs/policy.md). Only with `reasonAbove`.
             * @example [A-Z]{2,5}-\d+
             */
            ticketPattern?: string;
            /**
             * @description An operation of more deliveries waits for approval.
             * @example 1000
             */
            approveAbove?: number;
            /**
             * @description It waits for approval, however small it is: where a delivery of it may have arrived, was first sent to another address, or was delivered and is replayed.
             * @example [
             *       "mayHaveArrived"
             *     ]
             */
            approveWhen?: ("mayHaveArrived" | "endpointChanged" | "replayOfDelivered")[];
            /** @description Who approves: never who asked for it, whatever they may do otherwise. */
            approvers?: {
                /**
                 * @description How many distinct actors approve.
                 * @example 2
                 */
                count: number;
            };
            /** @description An operation that exceeds one waits for approval. */
            quotas?: {
                /**
                 * @description Deliveries of one operation.
                 * @example 10000
                 */
                itemsPerOperation?: number;
                /**
                 * @description Deliveries of all operations of a day, in UTC.
                 * @example 100000
                 */
                itemsPerDay?: number;
                /**
                 * @description Operations at the same time.
                 * @example 5
                 */
                openOperations?: number;
                /**
                 * @description Requests per second of one operation; one without a rate of its own is above it.
                 * @example 100
                 */
                ratePerSecond?: number;
            };
            /** @description Spans of the week within which no bulk item is sent. */
            freezeWindows?: {
                /**
                 * @description Name of a zone (IANA).
                 * @example Europe/Berlin
                 */
                zone: string;
                /**
                 * @description The days on which it begins.
                 * @example [
                 *       "mon",
                 *       "tue"
                 *     ]
                 */
                days: ("mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun")[];
                /**
                 * @description When it begins, by the clocks of its zone.
                 * @example 22:00
                 */
                from: string;
                /**
                 * @description When it ends; a window whose end is not after its beginning passes midnight.
                 * @example 06:00
                 */
                to: string;
                /** @description The endpoints that it is for; all where left out. */
                endpoints?: string[];
            }[];
        };
        CreatedEndpoint: {
            /**
             * @description Id of the endpoint.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the endpoint within the tenant; it never changes.
             * @example billing
             */
            handle: string;
            /**
             * @description Its other name, for callers that know endpoints as bridges.
             * @example $brg.-0cL_Ii6_QQ57H9N7
             */
            luid: string;
            /**
             * @description Its state: it takes deliveries where it is `enabled`.
             * @example enabled
             * @enum {string}
             */
            state: "enabled" | "disabled" | "deleted";
            /**
             * @description Who disabled it: an operator, or its own answer 410.
             * @example null
             * @enum {string|null}
             */
            disabledReason: "operator" | "gone" | null;
            /**
             * @description Its current version; each change makes one.
             * @example 1
             */
            version: number;
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url: string;
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes: string[] | null;
            /**
             * @description Conditions on the payload.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       }
             *     }
             */
            filter: {
                [key: string]: unknown;
            } | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs: number;
            /** @description How often and when it is tried again by itself. */
            retry: {
                /**
                 * @description Attempts in all.
                 * @example 8
                 */
                maxAttempts: number;
                /**
                 * @description Wait behind the first attempt, in milliseconds.
                 * @example 5000
                 */
                initialMs: number;
                /**
                 * @description The factor by which each wait grows.
                 * @example 4
                 */
                factor: number;
                /**
                 * @description Longest wait, in milliseconds.
                 * @example 3600000
                 */
                capMs: number;
            };
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs: number;
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs: number;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency: number | null;
            /**
             * @description Names of the custom headers; their values are never shown.
             * @example [
             *       "x-api-key"
             *     ]
             */
            headerNames: string[];
            caCertificate: components["schemas"]["Certificate"];
            clientCertificate: components["schemas"]["Certificate"];
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered: "none" | "propose" | "run";
            /**
             * @description `open`: nothing is sent for a while; `half_open`: the next request is sent alone, to see.
             * @example closed
             * @enum {string}
             */
            circuit: "closed" | "open" | "half_open";
            /** @description The reasons why every delivery to it waits. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            probe: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset: string | null;
            partner: components["schemas"]["Partner"];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was last changed.
             * @example 2026-11-03T02:00:00.000Z
             */
            updatedAt: string;
            /**
             * @description The signing secret. It is shown now and never again.
             * @example whsec_…
             */
            secret: string;
        };
        /** @description The certificates of an endpoint, by the first of them. */
        Certificate: {
            /**
             * @description SHA-256 of the certificate, in hexadecimal digits.
             * @example b0f94cca4a1b2a3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4
             */
            fingerprint: string;
            /**
             * @description Whose it is.
             * @example O=Acme, CN=Acme Internal CA
             */
            subject: string;
            /**
             * Format: date-time
             * @description When it begins to be valid.
             * @example 2026-11-03T02:00:00.000Z
             */
            validFrom: string;
            /**
             * Format: date-time
             * @description When it runs out: replace it before.
             * @example 2026-11-03T02:00:00.000Z
             */
            validUntil: string;
            /**
             * @description How many were given together; the other members but the last are of the first.
             * @example 1
             */
            certificates: number;
            /**
             * @description SHA-256 of the text that was given, all of its certificates with it.
             * @example 5d41402abc4b2a76b9719d911017c592ae2b1c3d4e5f60718293a4b5c6d7e8f9
             */
            pemFingerprint: string;
        } | null;
        /** @description Something that holds deliveries back. */
        Wait: {
            /**
             * @description The reason (docs/concepts.md). `end`: it will not be sent, and is about to be ended with the reason.
             * @example retry_after
             * @enum {string}
             */
            what: "endpoint_disabled" | "approval" | "reason" | "ticket" | "halt" | "pause" | "canary" | "freeze_window" | "circuit" | "retry_after" | "window" | "rate" | "concurrency" | "order" | "due" | "end";
            /**
             * Format: date-time
             * @description Until when at the latest, where that is known.
             * @example 2026-11-03T02:00:00.000Z
             */
            until?: string;
            /**
             * @description With `approval`: the scope of those who may give it.
             * @example approve:retries
             * @enum {string}
             */
            scope?: "approve:retries";
            /**
             * @description With `approval`, of an operation: how many are still to approve.
             * @example 1
             */
            missing?: number;
        };
        /** @description The status request behind `onAmbiguous: probe`. */
        ProbeRequest: {
            /**
             * @description Where a GET says what became of a delivery, with `{deliveryId}` in the place of its id.
             * @example https://example.com/hooks/status/{deliveryId}
             */
            urlTemplate: string;
            /**
             * @description Path of the member of the answer that is true where it was processed; 404 means that it was not received.
             * @example processed
             */
            processedField: string;
        } | null;
        /** @description The preparation of a file for a trading partner; a part that is missing fails the delivery without an attempt. */
        Partner: {
            /**
             * @description Which way files go.
             * @example OUTBOUND
             * @enum {string}
             */
            direction: "INBOUND" | "OUTBOUND";
            /**
             * @description Name of the profile of the sender.
             * @example acme
             */
            senderProfile?: string;
            /**
             * @description Name of the profile of the partner.
             * @example payer
             */
            partnerProfile?: string;
            /**
             * @description Types of event that there is a guide for; every type where left out.
             * @example [
             *       "invoice.*"
             *     ]
             */
            guides?: string[];
            /**
             * @description Path in the payload of the business identifier.
             * @example invoice.number
             */
            keyPath?: string;
        } | null;
        /** @description Defaults of members that are left out: timeoutMs 20000, retry 8 attempts with waits of 5000 ms times 4 up to 3600000 ms, giveUpAfterMs 86400000, onAmbiguous resend, reconcileWithinMs 3600000; every event, no limits, no headers; a secret and a handle are made. */
        NewEndpoint: {
            /**
             * @description Name of the endpoint within the tenant; it never changes.
             * @example billing
             */
            handle?: string;
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url: string;
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes?: string[] | null;
            /**
             * @description Conditions on the payload by path, all of which must hold (docs/filters.md); none where null. Strings, times among them, are compared as text.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       },
             *       "data.currency": {
             *         "$in": [
             *           "EUR",
             *           "USD"
             *         ]
             *       }
             *     }
             */
            filter?: Record<string, never> | null;
            /**
             * @description Signing secret (Standard Webhooks); made where left out.
             * @example whsec_…
             */
            secret?: string;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond?: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency?: number | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs?: number;
            retry?: components["schemas"]["RetryPolicyChange"];
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous?: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs?: number;
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs?: number;
            /**
             * @description Headers sent with every request, by name; kept encrypted and never shown again.
             * @example {
             *       "x-api-key": "their key for us"
             *     }
             */
            headers?: {
                [key: string]: string;
            } | null;
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect?: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered?: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted?: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered?: "none" | "propose" | "run";
            probe?: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck?: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent?: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset?: string | null;
            partner?: components["schemas"]["Partner"];
            /**
             * @description The authority that its certificate must be from, in PEM: it alone is trusted, and the public ones are not; those where null. Shown by its fingerprint only.
             * @example -----BEGIN CERTIFICATE-----
             *     …
             *     -----END CERTIFICATE-----
             */
            caCertificate?: string | null;
            clientCertificate?: components["schemas"]["NewClientCertificate"];
        };
        /** @description How often and when it is tried again by itself; a member that is left out stays as it is. */
        RetryPolicyChange: {
            /**
             * @description Attempts in all.
             * @example 8
             */
            maxAttempts?: number;
            /**
             * @description Wait behind the first attempt. In milliseconds.
             * @example 5000
             */
            initialMs?: number;
            /**
             * @description The factor by which each wait grows.
             * @example 4
             */
            factor?: number;
            /**
             * @description Longest wait. In milliseconds.
             * @example 3600000
             */
            capMs?: number;
        };
        /** @description A certificate with its key, shown to the endpoint where it asks for one (mutual TLS). */
        NewClientCertificate: {
            /**
             * @description The certificate, in PEM, and behind it those between it and its authority.
             * @example -----BEGIN CERTIFICATE-----
             *     …
             *     -----END CERTIFICATE-----
             */
            certificate: string;
            /**
             * @description Its private key, in PEM without a passphrase; kept encrypted and never shown again.
             * @example -----BEGIN PRIVATE KEY-----
             *     …
             *     -----END PRIVATE KEY-----
             */
            key: string;
        } | null;
        /** @description Where deliveries go. */
        Endpoint: {
            /**
             * @description Id of the endpoint.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the endpoint within the tenant; it never changes.
             * @example billing
             */
            handle: string;
            /**
             * @description Its other name, for callers that know endpoints as bridges.
             * @example $brg.-0cL_Ii6_QQ57H9N7
             */
            luid: string;
            /**
             * @description Its state: it takes deliveries where it is `enabled`.
             * @example enabled
             * @enum {string}
             */
            state: "enabled" | "disabled" | "deleted";
            /**
             * @description Who disabled it: an operator, or its own answer 410.
             * @example null
             * @enum {string|null}
             */
            disabledReason: "operator" | "gone" | null;
            /**
             * @description Its current version; each change makes one.
             * @example 1
             */
            version: number;
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url: string;
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes: string[] | null;
            /**
             * @description Conditions on the payload.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       }
             *     }
             */
            filter: {
                [key: string]: unknown;
            } | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs: number;
            /** @description How often and when it is tried again by itself. */
            retry: {
                /**
                 * @description Attempts in all.
                 * @example 8
                 */
                maxAttempts: number;
                /**
                 * @description Wait behind the first attempt, in milliseconds.
                 * @example 5000
                 */
                initialMs: number;
                /**
                 * @description The factor by which each wait grows.
                 * @example 4
                 */
                factor: number;
                /**
                 * @description Longest wait, in milliseconds.
                 * @example 3600000
                 */
                capMs: number;
            };
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs: number;
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs: number;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency: number | null;
            /**
             * @description Names of the custom headers; their values are never shown.
             * @example [
             *       "x-api-key"
             *     ]
             */
            headerNames: string[];
            caCertificate: components["schemas"]["Certificate"];
            clientCertificate: components["schemas"]["Certificate"];
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered: "none" | "propose" | "run";
            /**
             * @description `open`: nothing is sent for a while; `half_open`: the next request is sent alone, to see.
             * @example closed
             * @enum {string}
             */
            circuit: "closed" | "open" | "half_open";
            /** @description The reasons why every delivery to it waits. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            probe: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset: string | null;
            partner: components["schemas"]["Partner"];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was last changed.
             * @example 2026-11-03T02:00:00.000Z
             */
            updatedAt: string;
        };
        EndpointDetails: {
            /**
             * @description Id of the endpoint.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the endpoint within the tenant; it never changes.
             * @example billing
             */
            handle: string;
            /**
             * @description Its other name, for callers that know endpoints as bridges.
             * @example $brg.-0cL_Ii6_QQ57H9N7
             */
            luid: string;
            /**
             * @description Its state: it takes deliveries where it is `enabled`.
             * @example enabled
             * @enum {string}
             */
            state: "enabled" | "disabled" | "deleted";
            /**
             * @description Who disabled it: an operator, or its own answer 410.
             * @example null
             * @enum {string|null}
             */
            disabledReason: "operator" | "gone" | null;
            /**
             * @description Its current version; each change makes one.
             * @example 1
             */
            version: number;
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url: string;
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes: string[] | null;
            /**
             * @description Conditions on the payload.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       }
             *     }
             */
            filter: {
                [key: string]: unknown;
            } | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs: number;
            /** @description How often and when it is tried again by itself. */
            retry: {
                /**
                 * @description Attempts in all.
                 * @example 8
                 */
                maxAttempts: number;
                /**
                 * @description Wait behind the first attempt, in milliseconds.
                 * @example 5000
                 */
                initialMs: number;
                /**
                 * @description The factor by which each wait grows.
                 * @example 4
                 */
                factor: number;
                /**
                 * @description Longest wait, in milliseconds.
                 * @example 3600000
                 */
                capMs: number;
            };
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs: number;
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs: number;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency: number | null;
            /**
             * @description Names of the custom headers; their values are never shown.
             * @example [
             *       "x-api-key"
             *     ]
             */
            headerNames: string[];
            caCertificate: components["schemas"]["Certificate"];
            clientCertificate: components["schemas"]["Certificate"];
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered: "none" | "propose" | "run";
            /**
             * @description `open`: nothing is sent for a while; `half_open`: the next request is sent alone, to see.
             * @example closed
             * @enum {string}
             */
            circuit: "closed" | "open" | "half_open";
            /** @description The reasons why every delivery to it waits. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            probe: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset: string | null;
            partner: components["schemas"]["Partner"];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was last changed.
             * @example 2026-11-03T02:00:00.000Z
             */
            updatedAt: string;
            /** @description Deliveries that are to be sent to it, now or later, and are not on the wire. */
            waiting: {
                /**
                 * @description How many, counted up to 100,000.
                 * @example 720
                 */
                deliveries: number;
                /**
                 * @description There are more than that.
                 * @example false
                 */
                more: boolean;
            };
            /**
             * @description Requests at a time that it bears at present; null where nothing narrows them.
             * @example 16
             */
            window: number | null;
            /** @description How long the answers to its newest 100 deliveries took; null where it gave none. */
            latency: {
                /**
                 * @description Half of them took no longer.
                 * @example 42
                 */
                p50Ms: number;
                /**
                 * @description Of twenty all but one took no longer.
                 * @example 180
                 */
                p95Ms: number;
                /**
                 * @description How many answers that is.
                 * @example 100
                 */
                answers: number;
            } | null;
        };
        /** @description A member that is left out stays as it is; null takes a limit, a filter or the headers away. */
        EndpointChange: {
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes?: string[] | null;
            /**
             * @description Conditions on the payload by path, all of which must hold (docs/filters.md); none where null. Strings, times among them, are compared as text.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       },
             *       "data.currency": {
             *         "$in": [
             *           "EUR",
             *           "USD"
             *         ]
             *       }
             *     }
             */
            filter?: Record<string, never> | null;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond?: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency?: number | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs?: number;
            retry?: components["schemas"]["RetryPolicyChange"];
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous?: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs?: number;
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs?: number;
            /**
             * @description Headers sent with every request, by name; kept encrypted and never shown again.
             * @example {
             *       "x-api-key": "their key for us"
             *     }
             */
            headers?: {
                [key: string]: string;
            } | null;
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect?: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered?: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted?: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered?: "none" | "propose" | "run";
            probe?: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck?: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent?: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset?: string | null;
            partner?: components["schemas"]["Partner"];
            /**
             * @description The authority that its certificate must be from, in PEM: it alone is trusted, and the public ones are not; those where null. Shown by its fingerprint only.
             * @example -----BEGIN CERTIFICATE-----
             *     …
             *     -----END CERTIFICATE-----
             */
            caCertificate?: string | null;
            clientCertificate?: components["schemas"]["NewClientCertificate"];
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url?: string;
        };
        DisabledEndpoint: {
            /**
             * @description Id of the endpoint.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the endpoint within the tenant; it never changes.
             * @example billing
             */
            handle: string;
            /**
             * @description Its other name, for callers that know endpoints as bridges.
             * @example $brg.-0cL_Ii6_QQ57H9N7
             */
            luid: string;
            /**
             * @description Its state: it takes deliveries where it is `enabled`.
             * @example enabled
             * @enum {string}
             */
            state: "enabled" | "disabled" | "deleted";
            /**
             * @description Who disabled it: an operator, or its own answer 410.
             * @example null
             * @enum {string|null}
             */
            disabledReason: "operator" | "gone" | null;
            /**
             * @description Its current version; each change makes one.
             * @example 1
             */
            version: number;
            /**
             * @description Where deliveries are posted to: http or https, a public address.
             * @example https://example.com/hooks
             */
            url: string;
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes: string[] | null;
            /**
             * @description Conditions on the payload.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       }
             *     }
             */
            filter: {
                [key: string]: unknown;
            } | null;
            /**
             * @description Total time limit of one attempt, from its start to the last byte read. In milliseconds.
             * @example 20000
             */
            timeoutMs: number;
            /** @description How often and when it is tried again by itself. */
            retry: {
                /**
                 * @description Attempts in all.
                 * @example 8
                 */
                maxAttempts: number;
                /**
                 * @description Wait behind the first attempt, in milliseconds.
                 * @example 5000
                 */
                initialMs: number;
                /**
                 * @description The factor by which each wait grows.
                 * @example 4
                 */
                factor: number;
                /**
                 * @description Longest wait, in milliseconds.
                 * @example 3600000
                 */
                capMs: number;
            };
            /**
             * @description How long a delivery is tried before it is given up. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs: number;
            /**
             * @description When nobody knows whether a request arrived: `resend` it with the same id, `probe` the endpoint for what became of it, or `hold` it until it is acknowledged or somebody decides.
             * @example resend
             * @enum {string}
             */
            onAmbiguous: "resend" | "probe" | "hold";
            /**
             * @description How long an operation waits for an unknown outcome to be settled. In milliseconds.
             * @example 3600000
             */
            reconcileWithinMs: number;
            /**
             * @description Requests per second at most; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Requests at a time at most; no limit where null.
             * @example 10
             */
            maxConcurrency: number | null;
            /**
             * @description Names of the custom headers; their values are never shown.
             * @example [
             *       "x-api-key"
             *     ]
             */
            headerNames: string[];
            caCertificate: components["schemas"]["Certificate"];
            clientCertificate: components["schemas"]["Certificate"];
            /**
             * @description While it is overloaded (429, 502 to 504, no answer in time) it is sent less at a time; after 20 failures to reach it in a row nothing for a while, and then one request alone. Switched off it is sent everything at once.
             * @example true
             */
            protect: boolean;
            /**
             * @description Events of one key are sent in the order of their numbers, from the first event after this is switched on; other keys flow on.
             * @example false
             */
            ordered: boolean;
            /**
             * @description Where it is ordered: a delivery that failed for good keeps those of its key behind it waiting (`block`), or lets them pass (`skip`).
             * @example block
             * @enum {string}
             */
            onExhausted: "block" | "skip";
            /**
             * @description When it is back after an outage: `propose` plans a retry of what it missed, `run` executes that plan, too, `none` does nothing (docs/outages.md).
             * @example propose
             * @enum {string}
             */
            onRecovered: "none" | "propose" | "run";
            /**
             * @description `open`: nothing is sent for a while; `half_open`: the next request is sent alone, to see.
             * @example closed
             * @enum {string}
             */
            circuit: "closed" | "open" | "half_open";
            /** @description The reasons why every delivery to it waits. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            probe: components["schemas"]["ProbeRequest"];
            /**
             * @description An answer 202 settles nothing: the delivery is unknown until it is acknowledged.
             * @example false
             */
            requireAck: boolean;
            /**
             * @description Requests of attempts that Redrive traces carry the header `traceparent` (W3C Trace Context), which names their span; others carry none. Its ids are random.
             * @example false
             */
            traceparent: boolean;
            /**
             * @description Name of a surface: takes the policy that it documents for endpoints of its clients (docs/surfaces); members that are given with it win.
             * @example name-of-a-surface
             */
            preset: string | null;
            partner: components["schemas"]["Partner"];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was last changed.
             * @example 2026-11-03T02:00:00.000Z
             */
            updatedAt: string;
            /** @description Items that operations had queued or scheduled there; they wait for `enable`. */
            waitingItems: {
                /**
                 * @description The operation.
                 * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                operationId: string;
                /**
                 * @description Items of it that wait here.
                 * @example 97
                 */
                items: number;
            }[];
        };
        RotatedSecret: {
            /**
             * @description The new signing secret. It is shown now and never again.
             * @example whsec_…
             */
            secret: string;
            /**
             * Format: date-time
             * @description Until then requests are signed with the old secret, too.
             * @example 2026-11-03T02:00:00.000Z
             */
            previousValidUntil: string | null;
        };
        SecretRotation: {
            /**
             * @description Signing secret (Standard Webhooks); made where left out.
             * @example whsec_…
             */
            secret?: string;
            /**
             * @description How long the old secret goes on signing; 0 where it has become known to others. In milliseconds.
             * @example 86400000
             */
            oldValidForMs?: number;
        };
        EndpointTest: {
            /**
             * @description The event that was made.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string;
            /**
             * @description Its delivery: `GET` it to see what became of it.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
        };
        EndpointVersion: {
            /**
             * @description Its number.
             * @example 2
             */
            version: number;
            /**
             * @description The endpoint has this version now.
             * @example true
             */
            current: boolean;
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * @description Its members; headers by name only.
             * @example {
             *       "url": "https://hooks.example/new"
             *     }
             */
            config: {
                [key: string]: unknown;
            };
            /** @description The members that differ from the version before, with both values; none in the first one. */
            changed: {
                /**
                 * @description A member that differs.
                 * @example url
                 */
                member: string;
                /**
                 * @description Its value before.
                 * @example https://hooks.example/old
                 */
                was?: unknown;
                /**
                 * @description Its value in this version.
                 * @example https://hooks.example/new
                 */
                now?: unknown;
            }[];
            /**
             * @description Its headers were set anew, whether their names differ or not.
             * @example false
             */
            headersChanged: boolean;
        };
        OpenedListener: {
            /**
             * @description Id of the listener.
             * @example lsn_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Its endpoint, which is deleted when it ends.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The secret that its requests are signed with. It is shown now and never again.
             * @example whsec_…
             */
            secret: string;
            /**
             * Format: date-time
             * @description When it ends, unless a connection holds it by then: 60 seconds from now.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string;
            /** @description What follows. */
            links: {
                /**
                 * @description Hands its requests down.
                 * @example /api/v1/listeners/lsn_01k9z3e5hbe7r9qk2m4n6p8r0s/stream
                 */
                stream: string;
                /**
                 * @description Takes the answers to them.
                 * @example /api/v1/listeners/lsn_01k9z3e5hbe7r9qk2m4n6p8r0s/answers
                 */
                answers: string;
            };
        };
        /** @description Defaults of members that are left out: timeoutMs 30000; every event; a secret is made. */
        NewListener: {
            /**
             * @description Types of event it wants: exact, by a prefix such as `invoice.*`, or `*` for all; all where null, too.
             * @example [
             *       "invoice.*"
             *     ]
             */
            eventTypes?: string[] | null;
            /**
             * @description Conditions on the payload by path, all of which must hold (docs/filters.md); none where null. Strings, times among them, are compared as text.
             * @example {
             *       "data.amount": {
             *         "$gte": 100
             *       },
             *       "data.currency": {
             *         "$in": [
             *           "EUR",
             *           "USD"
             *         ]
             *       }
             *     }
             */
            filter?: Record<string, never> | null;
            /**
             * @description Signing secret (Standard Webhooks); made where left out.
             * @example whsec_…
             */
            secret?: string;
            /**
             * @description Time for the answer to one request, from when it was sent. In milliseconds.
             * @example 30000
             */
            timeoutMs?: number;
        };
        ListenerAnswer: {
            /**
             * @description The token of the request.
             * @example q1Zk0Xh2bT5cA8rT
             */
            token?: string;
            /**
             * @description The status that the receiver answered.
             * @example 200
             */
            status?: number;
            /**
             * @description The body that it answered, in base64; its first 1,024 bytes are kept.
             * @example b2s=
             */
            body?: string;
            /**
             * @description The receiver could not be reached: the request certainly did not arrive.
             * @example true
             * @enum {boolean}
             */
            unreachable?: true;
            /**
             * @description Somebody is there: the answer to an event `check`, which has no token.
             * @example true
             * @enum {boolean}
             */
            here?: true;
        };
        AcceptedEvent: {
            /**
             * @description Id of the event.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string;
            /**
             * @description Number of the event within the tenant, in the order of acceptance.
             * @example 1
             */
            number: number;
            /**
             * @description Deliveries that are queued.
             * @example 2
             */
            deliveries: number;
            /**
             * @description Endpoints at which nothing is sent, for their delivery of the first event stands for it.
             * @example 0
             */
            suppressed: number;
            /**
             * @description The first event with the same `id`, `type` and `source`; this one is sent where that one cannot be.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            duplicateOf?: string;
        };
        NewEvent: {
            /**
             * @description Your id of the event. A repeat, of the same type and source, is delivered only where the first was not delivered, is not on its way, and cannot be replayed with the same payload.
             * @example inv-2026-000123
             */
            id?: string;
            /**
             * @description Type, which endpoints choose by.
             * @example invoice.paid
             */
            type: string;
            /**
             * @description Where it comes from.
             * @example billing
             */
            source?: string;
            /**
             * @description The subject of the event, such as an account.
             * @example account-42
             */
            key?: string;
            /**
             * Format: date-time
             * @description When it happened, by your clock.
             * @example 2026-11-03T02:00:00Z
             */
            occurredAt?: string;
            /**
             * @description Your name for the batch it belongs to; retries can select by it.
             * @example import-7
             */
            ingestionBatchId?: string;
            /**
             * @description Any JSON, 1 MiB at most; delivered byte for byte as it is written here. The request as a whole nests at most 256 levels.
             * @example {
             *       "amount": 100,
             *       "currency": "EUR"
             *     }
             */
            payload: unknown;
        };
        /** @description An event that was accepted. */
        Event: {
            /**
             * @description Id of the event.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Its number within the tenant.
             * @example 1
             */
            number: number;
            /**
             * @description Your id of it.
             * @example inv-2026-000123
             */
            externalId: string | null;
            /**
             * @description The first event with the same external id, type and source. This one is sent only where that one cannot be.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            duplicateOf: string | null;
            /**
             * @description The newest event with the same external id, type and source that was accepted later and is sent: it stands for this one.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            resentAs: string | null;
            /**
             * @description Its type.
             * @example invoice.paid
             */
            type: string;
            /**
             * @description Where it comes from.
             * @example billing
             */
            source: string | null;
            /**
             * @description The subject of the event.
             * @example account-42
             */
            key: string | null;
            /**
             * Format: date-time
             * @description When it happened, by your clock.
             * @example 2026-11-03T02:00:00.000Z
             */
            occurredAt: string | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            acceptedAt: string;
            /**
             * @description Your name for its batch.
             * @example import-7
             */
            ingestionBatchId: string | null;
            /**
             * @description The import that brought it from another system.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            importId: string | null;
            /**
             * Format: uuid
             * @description The batch that its first deliveries were dispatched in: the call that brought it.
             * @example 0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f
             */
            dispatchBatchId: string;
            /**
             * @description Length of the payload in bytes.
             * @example 512
             */
            payloadBytes: number;
            /**
             * @description False once the payload has expired or was erased, and for suppressed repeats, which keep none.
             * @example true
             */
            payloadKept: boolean;
            /** @description Its deliveries, the first 1000 of them. */
            deliveries: {
                /**
                 * @description Id of the delivery.
                 * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description The endpoint it is for.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
                /**
                 * @description State of the delivery.
                 * @example delivered
                 * @enum {string}
                 */
                state: "pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored";
            }[];
            /**
             * @description The members of the imported line that its format does not know; only where the payload was asked for.
             * @example {
             *       "tags": [
             *         "billing"
             *       ]
             *     }
             */
            importMembers?: unknown;
            /**
             * @description The payload byte for byte as it was accepted; only where it was asked for and is kept.
             * @example {
             *       "amount": 100,
             *       "currency": "EUR"
             *     }
             */
            payload?: unknown;
        };
        ResolvedMany: {
            /**
             * @description Id of the act.
             * @example rsl_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The outcome that you know: it arrived, or it did not; or the wish to send it again whether it arrived or not.
             * @example delivered
             * @enum {string}
             */
            outcome: "delivered" | "failed" | "retry";
            /**
             * @description Deliveries that it settled.
             * @example 46
             */
            resolved: number;
            /**
             * @description Deliveries that were named although their outcome was not unknown: they stay as they were.
             * @example 0
             */
            notUnknown: number;
            /**
             * @description With `retry`: deliveries that stay unknown, as their endpoint is disabled or deleted, or their payload is gone.
             * @example 0
             */
            notSendable: number;
            /**
             * @description The filter selects more than one call settles (10,000): send it again with a new key.
             * @example false
             */
            more: boolean;
        };
        BulkResolution: {
            select: components["schemas"]["ResolveSelect"];
            /**
             * @description The outcome that you know: it arrived, or it did not; or the wish to send it again whether it arrived or not.
             * @example delivered
             * @enum {string}
             */
            outcome: "delivered" | "failed" | "retry";
            /**
             * @description The reason, which the record keeps.
             * @example found in the journal of the receiver
             */
            reason: string;
            /**
             * @description You have looked: nothing will check this.
             * @example true
             * @enum {boolean}
             */
            confirm: true;
        };
        /** @description The deliveries to settle: exactly one member. Of those that it selects, only those with an unknown outcome are settled. */
        ResolveSelect: {
            /** @description These deliveries. An empty list selects nothing; a repeat counts once. */
            deliveryIds?: string[];
            /** @description All deliveries of these events. An empty list selects nothing; a repeat counts once. An id of ours wins over one of yours that looks like it. */
            eventIds?: string[];
            /** @description The deliveries that these executions ran. An empty list selects nothing; a repeat counts once. */
            executionIds?: string[];
            filter?: components["schemas"]["DeliveryFilter"];
        };
        /** @description Members join by AND, entries of a list by OR; a member that is left out restricts nothing, an empty list selects nothing. */
        DeliveryFilter: {
            /** @description States; `failed` where left out. An empty list selects nothing. */
            state?: ("pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored")[];
            /** @description Endpoints. An empty list selects nothing. */
            endpointIds?: string[];
            /** @description Types of event, exactly. An empty list selects nothing. */
            eventTypes?: string[];
            /** @description Sources of events. An empty list selects nothing. */
            sources?: string[];
            /** @description Causes of the last failure. An empty list selects nothing. */
            faultCodes?: ("http_3xx" | "http_4xx" | "http_408" | "http_409" | "http_410" | "http_425" | "http_429" | "http_5xx" | "timeout" | "connect_timeout" | "connection_refused" | "connection_reset" | "connection_failed" | "dns_failure" | "tls_failure" | "proxy_failed" | "address_blocked" | "invalid_request" | "invalid_response" | "lease_lost" | "unacknowledged" | "gave_up" | "no_answer" | "sender_profile_missing" | "partner_profile_missing" | "guide_missing" | "business_identifier_missing")[];
            /** @description Statuses of the last answer. An empty list selects nothing. */
            httpStatus?: number[];
            /** @description Batches as they were named on ingest. An empty list selects nothing. */
            ingestionBatchIds?: string[];
            /** @description Batches that were dispatched together. An empty list selects nothing. */
            dispatchBatchIds?: string[];
            /**
             * @description The key of the event.
             * @example account-42
             */
            key?: string;
            /**
             * Format: date-time
             * @description Accepted at this time or later.
             * @example 2026-11-03T02:00:00Z
             */
            from?: string;
            /**
             * Format: date-time
             * @description Accepted before this time.
             * @example 2026-11-03T02:00:00Z
             */
            to?: string;
            /**
             * Format: date-time
             * @description Last attempt before this time.
             * @example 2026-11-03T02:00:00Z
             */
            lastAttemptBefore?: string;
            /**
             * Format: date-time
             * @description Last attempt after this time.
             * @example 2026-11-03T02:00:00Z
             */
            lastAttemptAfter?: string;
            /**
             * @description Only deliveries whose newest execution has been open for longer. In milliseconds.
             * @example 600000
             */
            pendingLongerThanMs?: number;
            /**
             * @description Only deliveries that others of their key wait for.
             * @example true
             * @enum {boolean}
             */
            blocking?: true;
        };
        Resolved: {
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The execution that was unknown.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            executionId: string;
            /**
             * @description Its state now.
             * @example delivered
             * @enum {string}
             */
            state: "queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered";
        };
        Resolution: {
            /**
             * @description The outcome that you know: it arrived, or it did not; or the wish to send it again whether it arrived or not.
             * @example delivered
             * @enum {string}
             */
            outcome: "delivered" | "failed" | "retry";
            /**
             * @description The reason, which the record keeps.
             * @example found in the journal of the receiver
             */
            reason?: string;
            /**
             * @description You have looked: nothing will check this.
             * @example true
             * @enum {boolean}
             */
            confirm: true;
        };
        /** @description An event that was accepted, in a list. */
        EventSummary: {
            /**
             * @description Id of the event.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Its number within the tenant.
             * @example 1
             */
            number: number;
            /**
             * @description Your id of it.
             * @example inv-2026-000123
             */
            externalId: string | null;
            /**
             * @description The first event with the same external id, type and source. This one is sent only where that one cannot be.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            duplicateOf: string | null;
            /**
             * @description The newest event with the same external id, type and source that was accepted later and is sent: it stands for this one.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            resentAs: string | null;
            /**
             * @description Its type.
             * @example invoice.paid
             */
            type: string;
            /**
             * @description Where it comes from.
             * @example billing
             */
            source: string | null;
            /**
             * @description The subject of the event.
             * @example account-42
             */
            key: string | null;
            /**
             * Format: date-time
             * @description When it happened, by your clock.
             * @example 2026-11-03T02:00:00.000Z
             */
            occurredAt: string | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            acceptedAt: string;
            /**
             * @description Your name for its batch.
             * @example import-7
             */
            ingestionBatchId: string | null;
            /**
             * @description The import that brought it from another system.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            importId: string | null;
            /**
             * Format: uuid
             * @description The batch that its first deliveries were dispatched in: the call that brought it.
             * @example 0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f
             */
            dispatchBatchId: string;
            /**
             * @description Length of the payload in bytes.
             * @example 512
             */
            payloadBytes: number;
            /**
             * @description False once the payload has expired or was erased, and for suppressed repeats, which keep none.
             * @example true
             */
            payloadKept: boolean;
            /**
             * @description How many deliveries of it are in each state.
             * @example {
             *       "delivered": 2
             *     }
             */
            deliveries: {
                [key: string]: number;
            };
        };
        /** @description Attempts by the time at which they began. */
        AttemptStats: {
            /**
             * Format: date-time
             * @description The moment that all these numbers are of.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
            /**
             * Format: date-time
             * @description Beginning of the first bucket.
             * @example 2026-11-03T02:00:00.000Z
             */
            from: string;
            /**
             * Format: date-time
             * @description End of the last bucket.
             * @example 2026-11-03T02:00:00.000Z
             */
            to: string;
            /**
             * @description The length of the buckets, in UTC.
             * @default minute
             * @example minute
             * @enum {string}
             */
            granularity?: "minute" | "hour" | "day";
            /**
             * @description Beginning of each bucket.
             * @example [
             *       "2026-11-03T02:00:00.000Z"
             *     ]
             */
            buckets: string[];
            /** @description Attempts that agree in what was asked `by`, the largest 50. */
            series: components["schemas"]["AttemptSeries"][];
            /** @description The sum of the series that are not shown: with it, the numbers add up. */
            others: {
                /**
                 * @description How many series that is.
                 * @example 0
                 */
                groups: number;
                /**
                 * @description All of their attempts.
                 * @example 0
                 */
                total: number;
                /**
                 * @description One number a bucket, 0 where there was none.
                 * @example [
                 *       12,
                 *       0,
                 *       7
                 *     ]
                 */
                counts: number[];
            };
            /**
             * @description All attempts of the range.
             * @example 19
             */
            total: number;
            /**
             * @description There are series that are not told apart, or the range begins before `countedSince`.
             * @example false
             */
            truncated: boolean;
            /**
             * Format: date-time
             * @description Attempts that began earlier are not counted here, or not any more.
             * @example 2026-11-03T02:00:00.000Z
             */
            countedSince: string;
            /**
             * @description Attempts among `total` that the worker has not summed up yet; they are counted.
             * @example 3
             */
            unfolded: number;
        };
        AttemptSeries: {
            /**
             * @description The endpoint, by `endpoint`.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId?: string;
            /**
             * @description What the attempts meant, by `outcome`.
             * @example delivered
             */
            outcome?: string;
            /**
             * @description Why they did not deliver, by `fault`; null for those that delivered.
             * @example http_5xx
             */
            faultCode?: string | null;
            /**
             * @description The type of their events, by `type`.
             * @example invoice.paid
             */
            eventType?: string;
            /**
             * @description All of them.
             * @example 19
             */
            total: number;
            /**
             * @description One number a bucket, 0 where there was none.
             * @example [
             *       12,
             *       0,
             *       7
             *     ]
             */
            counts: number[];
        };
        /** @description Events by the time at which they were accepted. */
        EventStats: {
            /**
             * Format: date-time
             * @description The moment that all these numbers are of.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
            /**
             * Format: date-time
             * @description Beginning of the first bucket.
             * @example 2026-11-03T02:00:00.000Z
             */
            from: string;
            /**
             * Format: date-time
             * @description End of the last bucket.
             * @example 2026-11-03T02:00:00.000Z
             */
            to: string;
            /**
             * @description The length of the buckets, in UTC.
             * @default minute
             * @example minute
             * @enum {string}
             */
            granularity?: "minute" | "hour" | "day";
            /**
             * @description Beginning of each bucket.
             * @example [
             *       "2026-11-03T02:00:00.000Z"
             *     ]
             */
            buckets: string[];
            /**
             * @description One number a bucket, 0 where there was none.
             * @example [
             *       12,
             *       0,
             *       7
             *     ]
             */
            counts: number[];
            /**
             * @description All events of the range that are counted.
             * @example 19
             */
            total: number;
            /**
             * @description The range begins before `countedSince`: there may have been more.
             * @example false
             */
            truncated: boolean;
            /**
             * Format: date-time
             * @description Events that were accepted until then are past their term and not counted any more; null while all are kept.
             * @example 2026-11-03T02:00:00.000Z
             */
            countedSince: string | null;
        };
        SearchResult: {
            /** @description What was found, ids first; of each kind and name the newest 10. */
            items: components["schemas"]["Found"][];
        };
        Found: {
            /**
             * @description The kind of thing.
             * @example delivery
             * @enum {string}
             */
            kind: "delivery" | "execution" | "event" | "operation" | "plan" | "endpoint" | "outage" | "import" | "key" | "auditEntry" | "action";
            /**
             * @description Its id; of an action its name.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description What of it is as it was asked for; `listener` is the id of the listener whose endpoint it is.
             * @example id
             * @enum {string}
             */
            matched: "id" | "externalId" | "webhookId" | "key" | "handle" | "ticket" | "listener" | "action";
            /**
             * @description A word that tells it from others.
             * @example invoice.paid
             */
            title: string;
            /**
             * @description Its state, where it has one.
             * @example failed
             */
            state: string | null;
            /**
             * @description Where it is shown.
             * @example /api/v1/deliveries/dlv_…
             */
            link: string;
        };
        DeliveryCount: {
            /**
             * @description Deliveries that match.
             * @example 12431
             */
            count: number;
            /**
             * @description `exact`, or `atLeast` where there are more than 100,000, or counting took too long.
             * @example exact
             * @enum {string}
             */
            basis: "exact" | "atLeast";
            /**
             * Format: date-time
             * @description The moment that all these numbers are of.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
        };
        FailureGroups: {
            /**
             * @description Deliveries that match.
             * @example 12431
             */
            count: number;
            /**
             * @description `exact`, or `atLeast` where there are more than 100,000, or counting took too long.
             * @example exact
             * @enum {string}
             */
            basis: "exact" | "atLeast";
            /**
             * Format: date-time
             * @description The moment that all these numbers are of.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
            /** @description Deliveries that agree in what was asked `by`, the largest 500. */
            groups: components["schemas"]["FailureGroup"][];
            /** @description The groups that are not shown: with them, the numbers add up to `count`. */
            others: {
                /**
                 * @description How many groups that is.
                 * @example 0
                 */
                groups: number;
                /**
                 * @description Their deliveries.
                 * @example 0
                 */
                count: number;
            };
        };
        FailureGroup: {
            /**
             * @description The endpoint, by `endpoint`.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId?: string;
            /**
             * @description Why the last attempts did not deliver, by `fault`.
             * @example http_5xx
             */
            faultCode?: string | null;
            /**
             * @description Status of the last answers, by `status`.
             * @example 503
             */
            httpStatus?: number | null;
            /**
             * @description Type of the events, by `type`.
             * @example invoice.paid
             */
            eventType?: string | null;
            /**
             * Format: date-time
             * @description Beginning of the hour in which the events were accepted, by `hour`.
             * @example 2026-11-03T02:00:00.000Z
             */
            hour?: string;
            /**
             * @description Deliveries of the group.
             * @example 700
             */
            count: number;
        };
        /** @description One event for one endpoint; stable for ever. */
        Delivery: {
            /**
             * @description Id of the delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The header `webhook-id` of all its requests: its receiver knows it by this. The id of the delivery, or that of another system which an import has kept.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            webhookId: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /** @description The event that is delivered. */
            event: {
                /**
                 * @description Id of the event.
                 * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Its number within the tenant.
                 * @example 1
                 */
                number: number;
                /**
                 * @description Your id of it.
                 * @example inv-2026-000123
                 */
                externalId: string | null;
                /**
                 * @description Its type.
                 * @example invoice.paid
                 */
                type: string;
                /**
                 * @description Where it comes from.
                 * @example billing
                 */
                source: string | null;
                /**
                 * @description The subject of the event.
                 * @example account-42
                 */
                key: string | null;
            };
            /**
             * @description State, folded from its executions.
             * @example failed
             * @enum {string}
             */
            state: "pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored";
            /**
             * Format: date-time
             * @description Since when it is in this state.
             * @example 2026-11-03T02:00:00.000Z
             */
            stateChangedAt: string;
            /**
             * Format: date-time
             * @description When the event was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            acceptedAt: string;
            /**
             * @description HTTP requests so far, over all executions.
             * @example 3
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When the last one began.
             * @example 2026-11-03T02:00:00.000Z
             */
            lastAttemptAt: string | null;
            /**
             * @description Why the last one did not deliver.
             * @example http_5xx
             */
            faultCode: string | null;
            /**
             * @description Status of the last answer.
             * @example 503
             */
            httpStatus: number | null;
            /**
             * @description Length of the body in bytes.
             * @example 512
             */
            payloadBytes: number;
            /**
             * @description Version of the endpoint that its first attempt used.
             * @example 1
             */
            originalVersion: number | null;
            /**
             * @description The delivery that this one repeats under a new identity.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            replayOf: string | null;
            /**
             * @description It was asked for to try its endpoint (`POST /api/v1/endpoints/{id}/test`), or went to a listener.
             * @example false
             */
            test: boolean;
            /**
             * @description The import that brought it from another system: its attempts before were made there.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            importId: string | null;
            /** @description The reasons why it waits, where it is to be sent and is not on the wire. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
        };
        DeliveryDetails: {
            /**
             * @description Id of the delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The header `webhook-id` of all its requests: its receiver knows it by this. The id of the delivery, or that of another system which an import has kept.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            webhookId: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /** @description The event that is delivered. */
            event: {
                /**
                 * @description Id of the event.
                 * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Its number within the tenant.
                 * @example 1
                 */
                number: number;
                /**
                 * @description Your id of it.
                 * @example inv-2026-000123
                 */
                externalId: string | null;
                /**
                 * @description Its type.
                 * @example invoice.paid
                 */
                type: string;
                /**
                 * @description Where it comes from.
                 * @example billing
                 */
                source: string | null;
                /**
                 * @description The subject of the event.
                 * @example account-42
                 */
                key: string | null;
            };
            /**
             * @description State, folded from its executions.
             * @example failed
             * @enum {string}
             */
            state: "pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored";
            /**
             * Format: date-time
             * @description Since when it is in this state.
             * @example 2026-11-03T02:00:00.000Z
             */
            stateChangedAt: string;
            /**
             * Format: date-time
             * @description When the event was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            acceptedAt: string;
            /**
             * @description HTTP requests so far, over all executions.
             * @example 3
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When the last one began.
             * @example 2026-11-03T02:00:00.000Z
             */
            lastAttemptAt: string | null;
            /**
             * @description Why the last one did not deliver.
             * @example http_5xx
             */
            faultCode: string | null;
            /**
             * @description Status of the last answer.
             * @example 503
             */
            httpStatus: number | null;
            /**
             * @description Length of the body in bytes.
             * @example 512
             */
            payloadBytes: number;
            /**
             * @description Version of the endpoint that its first attempt used.
             * @example 1
             */
            originalVersion: number | null;
            /**
             * @description The delivery that this one repeats under a new identity.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            replayOf: string | null;
            /**
             * @description It was asked for to try its endpoint (`POST /api/v1/endpoints/{id}/test`), or went to a listener.
             * @example false
             */
            test: boolean;
            /**
             * @description The import that brought it from another system: its attempts before were made there.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            importId: string | null;
            /** @description The reasons why it waits, where it is to be sent and is not on the wire. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /** @description Its executions, oldest first; the newest 200 where there are more. */
            executions: components["schemas"]["Execution"][];
            /**
             * @description There are older executions than those shown.
             * @example false
             */
            moreExecutions: boolean;
        };
        /** @description One run of delivering: the first dispatch, and each retry, is one. */
        Execution: {
            /**
             * @description Id of the execution.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The delivery it runs.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The operation it is an item of; null for first dispatches.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            operationId: string | null;
            /**
             * @description The execution it retries.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            parentId: string | null;
            /**
             * @description The execution that retried it.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            childId: string | null;
            /**
             * @description State of the execution.
             * @example scheduled
             * @enum {string}
             */
            state: "queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered";
            /**
             * @description Why it ended as it did.
             * @example exhausted
             */
            reason: string | null;
            /**
             * Format: date-time
             * @description When it is, or was, due.
             * @example 2026-11-03T02:00:00.000Z
             */
            dueAt: string;
            /**
             * Format: date-time
             * @description When it is given up.
             * @example 2026-11-03T02:00:00.000Z
             */
            giveUpAt: string;
            /**
             * @description An attempt whose outcome is not known is among its attempts.
             * @example false
             */
            mayHaveArrived: boolean;
            /**
             * @description The delivery before it of its key that keeps it waiting, where its endpoint is ordered.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            blockedBy: string | null;
            /** @description By whom it was settled, where nobody knew its outcome; the last time. */
            resolution: {
                /**
                 * @description The outcome that was said.
                 * @example delivered
                 * @enum {string}
                 */
                outcome: "delivered" | "failed" | "retry";
                /**
                 * @description Who said so, as the credential names it.
                 * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                by: string;
                /**
                 * @description Why, in their words.
                 * @example found in the journal of the receiver
                 */
                reason: string | null;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /** @description The reasons why it waits, where it is queued or scheduled. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            finishedAt: string | null;
            /** @description Its HTTP requests, in order. */
            attempts: components["schemas"]["Attempt"][];
        };
        /** @description One HTTP request. */
        Attempt: {
            /**
             * @description Id of the attempt.
             * @example att_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Which attempt of its execution it is.
             * @example 1
             */
            number: number;
            /**
             * @description Version of the endpoint it was sent with.
             * @example 1
             */
            endpointVersion: number | null;
            /**
             * Format: date-time
             * @description When it began.
             * @example 2026-11-03T02:00:00.000Z
             */
            startedAt: string;
            /**
             * @description How long it took, in milliseconds.
             * @example 42
             */
            durationMs: number;
            /**
             * @description Its outcome; an `ambiguous` one may have arrived, an `unsent` one certainly did not.
             * @example retryable
             * @enum {string}
             */
            outcome: "delivered" | "retryable" | "permanent" | "gone" | "ambiguous" | "unsent";
            /**
             * @description Why it did not deliver.
             * @example http_5xx
             */
            faultCode: string | null;
            /**
             * @description Status of the answer.
             * @example 503
             */
            httpStatus: number | null;
            /**
             * @description The wait that the answer asked for in Retry-After, in milliseconds.
             * @example null
             */
            retryAfterMs: number | null;
            /**
             * @description It was sent although an earlier attempt may have arrived.
             * @example false
             */
            resend: boolean;
            /**
             * @description Another system made it, before it was imported.
             * @example false
             */
            imported: boolean;
            /**
             * @description The first KiB of the answer as text; bytes that are no UTF-8 show as U+FFFD.
             * @example Service Unavailable
             */
            responseExcerpt: string | null;
        };
        /** @description The safest next step about a delivery, and why. */
        Advice: {
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description Its state.
             * @example failed
             * @enum {string}
             */
            state: "pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored";
            /**
             * @description What became of it, and why it failed, as a sentence.
             * @example Its receiver had an error of its own.
             */
            happened: string;
            /**
             * @description The same as a code, as filters take it.
             * @example http_5xx
             */
            faultCode: string | null;
            /**
             * @description An attempt of it may have arrived.
             * @example false
             */
            mayHaveArrived: boolean;
            /**
             * @description `none`: it is delivered. `wait`: it will be sent, or its endpoint has to answer first. `follow`: another delivery stands for it, or is in its way. `settle`: its outcome is not known. `release`: an operation that was stopped holds it. `fix_endpoint`: the same request would end the same way. `retry`: nothing speaks against it. `confirm`: it may arrive twice. `send_again`: only its source has it.
             * @example retry
             * @enum {string}
             */
            step: "none" | "wait" | "follow" | "settle" | "release" | "fix_endpoint" | "retry" | "confirm" | "send_again";
            /**
             * @description Why this is the safest step, as a sentence.
             * @example Nothing speaks against sending it again.
             */
            why: string;
            /**
             * @description The next call, as a sentence.
             * @example POST /api/v1/retries with dlv_01k9z3e5hbe7r9qk2m4n6p8r0s.
             */
            next: string;
            /** @description What a retry of it alone would do now. */
            retry: {
                /**
                 * @description Its fate; `joins` another execution that is open, `waits` for somebody or something.
                 * @example will_be_sent
                 * @enum {string}
                 */
                fate: "will_be_sent" | "joins" | "waits" | "cannot";
                /**
                 * @description As what it would be left out; null where it would be sent.
                 * @example null
                 * @enum {string|null}
                 */
                reason: "coalesced" | "already_delivered" | "changed_since" | "held" | "outcome_unknown" | "suppressed_duplicate" | "resent" | "payload_expired" | "endpoint_disabled" | "endpoint_deleted" | "endpoint_changed" | "no_longer_matches" | "already_retried" | "not_retryable" | null;
            };
            /** @description What its open execution waits for. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
        };
        AcknowledgementOutcome: {
            /**
             * @description The delivery, as it was named.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            webhookId: string;
            /**
             * @description `settled`: it is delivered. `remembered`: it is being sent, and will be. `already_delivered`: it was, and nothing is settled; also where a replay is open that was asked for more than five minutes after the acknowledgement was signed. `refused`: no such delivery was sent, or not signed by its endpoint.
             * @example settled
             * @enum {string}
             */
            outcome: "settled" | "remembered" | "already_delivered" | "refused";
        };
        Acknowledgement: {
            /**
             * @description The endpoint that received it: the header `redrive-endpoint`.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The delivery: the header `webhook-id`.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            webhookId: string;
            /**
             * @description When it was acknowledged, in Unix seconds.
             * @example 1795000000
             */
            timestamp: number;
            /**
             * @description `v1,` and base64 of HMAC-SHA256 under the endpoint’s secret over `ack.v1.<endpointId>.<webhookId>.<timestamp>`, ids as they were sent.
             * @example v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4=
             */
            signature: string;
        };
        /** @description What a retry or replay would do, without its endpoints. */
        PlanSummary: {
            /**
             * @description Id of the plan.
             * @example pln_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The same under the name of its operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            operationId: string;
            /**
             * @description How it was asked for; `policy` where it was made because a policy looks at what was started without a plan.
             * @example plan
             * @enum {string}
             */
            origin: "plan" | "dry_run" | "policy";
            /**
             * @description `planning` while it is made, then `planned`; from its execution on the state of its operation.
             * @example planned
             * @enum {string}
             */
            state: "planning" | "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /** @description How many deliveries it is about. */
            count: {
                /**
                 * @description Deliveries that were found.
                 * @example 0
                 */
                items: number;
                /**
                 * @description `atLeast` while it is made, `exact` once it is planned.
                 * @example exact
                 * @enum {string}
                 */
                basis: "exact" | "atLeast";
                /**
                 * @description Those of them that would be sent; the others would be left out, with the reason.
                 * @example 0
                 */
                sends: number;
            };
            /**
             * @description Nothing that was accepted later is in it.
             * @example 2026-11-03T02:00:00.000000Z
             */
            watermark: string;
            /**
             * @description Identifies all that it shows: what is executed is named by it.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            planHash: string | null;
            /**
             * @description SHA-256 over the ids of its deliveries, 16 bytes each, ascending.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            itemsDigest: string | null;
            /**
             * @description SHA-256 over their risks, two bytes each, in the same order.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            risksDigest: string | null;
            risks: components["schemas"]["PlanRisks"];
            /**
             * @description Endpoints that it has deliveries for.
             * @example 0
             */
            endpointCount: number;
            /**
             * Format: date-time
             * @description When it was asked for.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            plannedAt: string | null;
            /**
             * Format: date-time
             * @description When it is cancelled by itself.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string | null;
            /**
             * @description Why it ended, where nobody executed it, or where it was not approved.
             * @example null
             * @enum {string|null}
             */
            endedFor: "plan_expired" | "approval_expired" | "rejected" | "cancelled" | null;
            /**
             * Format: date-time
             * @description When it was executed.
             * @example 2026-11-03T02:00:00.000Z
             */
            executedAt: string | null;
            /**
             * @description Who executed it, as the credential names it.
             * @example null
             */
            executedBy: string | null;
            /**
             * @description The share of its deliveries that may be gone.
             * @example 5
             */
            maxDriftPercent: number | null;
            /** @description What had changed when it was executed; final once its items are made. */
            drift: {
                /**
                 * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                 * @example {
                 *       "already_delivered": 12
                 *     }
                 */
                gone: {
                    [key: string]: number;
                };
                /** @description Endpoints with another address; nothing of the plan was sent there. */
                endpointChanged: {
                    /**
                     * @description The endpoint.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description Its version in the plan.
                     * @example 3
                     */
                    from: number;
                    /**
                     * @description Its version then.
                     * @example 4
                     */
                    to: number;
                    /**
                     * @description What of its address has changed.
                     * @example [
                     *       "url"
                     *     ]
                     */
                    members: string[];
                }[];
                /**
                 * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                 * @example 3
                 */
                added: number | null;
            } | null;
            /** @description What had changed the last time that its execution was refused for it. */
            driftTooLarge: {
                /**
                 * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                 * @example {
                 *       "already_delivered": 12
                 *     }
                 */
                gone: {
                    [key: string]: number;
                };
                /** @description Endpoints with another address; nothing of the plan was sent there. */
                endpointChanged: {
                    /**
                     * @description The endpoint.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description Its version in the plan.
                     * @example 3
                     */
                    from: number;
                    /**
                     * @description Its version then.
                     * @example 4
                     */
                    to: number;
                    /**
                     * @description What of its address has changed.
                     * @example [
                     *       "url"
                     *     ]
                     */
                    members: string[];
                }[];
                /**
                 * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                 * @example 3
                 */
                added: number | null;
            } | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This plan.
                 * @example /api/v1/retries/plans/pln_…
                 */
                self: string;
                /**
                 * @description Its deliveries.
                 * @example /api/v1/retries/plans/pln_…/items
                 */
                items: string;
                /**
                 * @description To execute it.
                 * @example /api/v1/retries/plans/pln_…/execute
                 */
                execute: string;
                /**
                 * @description Its operation.
                 * @example /api/v1/retries/op_…
                 */
                operation: string;
            };
        };
        /** @description The options that were asked for. */
        OperationOptions: {
            /**
             * @description As it was asked for.
             * @example 50
             */
            ratePerSecond?: number;
            /**
             * @description Requests at a time at most.
             * @example 10
             */
            maxConcurrency?: number;
            /**
             * @description Takes over executions that are merely queued or scheduled elsewhere.
             * @example false
             */
            takeOverScheduled?: boolean;
            /**
             * @description Replays also deliveries of events that their sender sent again.
             * @example false
             */
            includeResent?: boolean;
            /**
             * @description Nothing is sent before.
             * @example 2026-11-03T02:00:00Z
             */
            notBefore?: string;
            /**
             * @description How long items are tried, in milliseconds.
             * @example 86400000
             */
            giveUpAfterMs?: number;
            /**
             * @description How long its items wait at an endpoint that an operator disables, in milliseconds; 15 minutes where absent.
             * @example 900000
             */
            disabledPatienceMs?: number;
            /** @description A few items go first. */
            canary?: {
                /**
                 * @description Items of each endpoint that go first.
                 * @example 25
                 */
                count: number;
                /**
                 * @description The percentage of them that may fail.
                 * @example 10
                 */
                maxFailurePercent: number;
            };
            /** @description The rate grows. */
            ramp?: {
                /**
                 * @description Requests per second to begin with.
                 * @example 5
                 */
                startPerSecond: number;
                /**
                 * @description How often it doubles.
                 * @example 60
                 */
                everySeconds: number;
            };
            /**
             * @description It is halted when a larger percentage of the last minute’s attempts is bad.
             * @example 50
             */
            haltAtFailurePercent?: number;
            /**
             * @description Used in the place of the policies of the endpoints.
             * @example hold
             * @enum {string}
             */
            onAmbiguous?: "resend" | "probe" | "hold";
            /**
             * @description Items that the endpoint's current types and filter no longer want are ignored.
             * @example true
             */
            matchFilter?: boolean;
        };
        /** @description How many deliveries have each risk; none of them is an error. */
        PlanRisks: {
            /**
             * @description It failed, but an attempt of it may have arrived: it may arrive twice.
             * @example 0
             */
            mayHaveArrived: number;
            /**
             * @description Nobody knows its outcome yet: it waits for that.
             * @example 0
             */
            unknown: number;
            /**
             * @description An execution of it is open elsewhere: it joins that, or takes it over with `takeOverScheduled`.
             * @example 0
             */
            openElsewhere: number;
            /**
             * @description An operation that was stopped holds it.
             * @example 0
             */
            heldByPaused: number;
            /**
             * @description It is delivered: a replay sends it again, a retry leaves it alone.
             * @example 0
             */
            alreadyDelivered: number;
            /**
             * @description Its endpoint is disabled.
             * @example 0
             */
            endpointDisabled: number;
            /**
             * @description Its endpoint is deleted.
             * @example 0
             */
            endpointDeleted: number;
            /**
             * @description Its endpoint is left alone for a while, because it was down.
             * @example 0
             */
            circuitOpen: number;
            /**
             * @description Its payload is gone.
             * @example 0
             */
            payloadExpired: number;
            /**
             * @description Its payload will be gone before it is sent, at the rate that is asked for.
             * @example 0
             */
            payloadExpiresBeforeItsTurn: number;
            /**
             * @description It was first sent to another address than it would go to.
             * @example 0
             */
            addressChanged: number;
            /**
             * @description Its endpoint has got a new signing secret since it was last sent, or another system has sent it last.
             * @example 0
             */
            secretRotated: number;
            /**
             * @description Its endpoint chose events in another way when it was first sent.
             * @example 0
             */
            filterChanged: number;
            /**
             * @description A delivery of its key before it is in the way.
             * @example 0
             */
            orderBlocked: number;
            /**
             * @description Somebody has to approve it first.
             * @example 0
             */
            awaitsApproval: number;
        };
        RetryRequest: {
            select: components["schemas"]["Select"];
            /**
             * @description `retry` leaves delivered deliveries alone; `replay` sends them again, with the same `webhook-id`.
             * @default retry
             * @example retry
             * @enum {string}
             */
            mode?: "retry" | "replay";
            /**
             * @description Send to where it went first, or to where it would go now.
             * @default current
             * @example current
             * @enum {string}
             */
            target?: "original" | "current";
            /**
             * @description Each delivery that is selected is sent as a new one, with a `webhook-id` of its own and `replayOf`: its receiver takes it for something that it has not had. With `mode: replay` only.
             * @example false
             */
            newIdentity?: boolean;
            options?: components["schemas"]["RetryOptions"];
            /**
             * @description The reason, which the record keeps.
             * @example endpoint was down from 02:00 to 05:00
             */
            reason?: string;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket?: string;
            /**
             * @description It does not wait for approval, whatever the policy says: needs the scope `approve:emergency` and a `reason`, and stays on the report.
             * @example false
             */
            emergency?: boolean;
            /**
             * @description Nothing is sent: it becomes a plan that can be executed for 15 minutes.
             * @example false
             */
            dryRun?: boolean;
        };
        /** @description The deliveries to retry: exactly one member. */
        Select: {
            /** @description These deliveries. An empty list selects nothing; a repeat counts once. */
            deliveryIds?: string[];
            /** @description All deliveries of these events. An empty list selects nothing; a repeat counts once. An id of ours wins over one of yours that looks like it. */
            eventIds?: string[];
            /** @description The deliveries that these executions ran. An empty list selects nothing; a repeat counts once. */
            executionIds?: string[];
            /**
             * @description The failed deliveries of this operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            failuresOf?: string;
            /**
             * @description All deliveries that this operation selected and did not deliver, for whatever reason they are left; not what it still has to send: cancel it first.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            remainderOf?: string;
            /**
             * @description What an endpoint missed in this outage and has not got yet: the deliveries of its window that failed, that nobody knows of, or that were ignored because it was disabled. What is still to be sent by itself is left alone.
             * @example out_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            outage?: string;
            filter?: components["schemas"]["DeliveryFilter"];
        };
        /** @default {} */
        RetryOptions: {
            /**
             * @description Requests per second at most, over all endpoints.
             * @example 50
             */
            ratePerSecond?: number;
            /**
             * @description Requests at a time at most, over all endpoints.
             * @example 10
             */
            maxConcurrency?: number;
            /**
             * @description Send now the deliveries that are merely queued or scheduled elsewhere, in the place of those executions.
             * @example false
             */
            takeOverScheduled?: boolean;
            /**
             * Format: date-time
             * @description Nothing is sent before; 90 days ahead at most.
             * @example 2026-11-03T02:00:00Z
             */
            notBefore?: string;
            /**
             * @description How long items are tried before they are given up; as the endpoint says where left out. In milliseconds.
             * @example 86400000
             */
            giveUpAfterMs?: number;
            /**
             * @description How long items that are queued or scheduled wait at an endpoint that an operator disables, before they are ignored; 15 minutes where left out. In milliseconds.
             * @example 900000
             */
            disabledPatienceMs?: number;
            /** @description A few items of each endpoint go first; the others follow where these do well. */
            canary?: {
                /**
                 * @description Items of each endpoint.
                 * @example 25
                 */
                count: number;
                /**
                 * @description More bad first attempts than this, and its other items are held.
                 * @example 10
                 */
                maxFailurePercent: number;
            };
            /** @description The rate doubles while the first attempts do well, up to `ratePerSecond`, which must be more. */
            ramp?: {
                /**
                 * @description Requests per second to begin with.
                 * @example 5
                 */
                startPerSecond: number;
                /**
                 * @description How often it doubles.
                 * @example 60
                 */
                everySeconds: number;
            };
            /**
             * @description More bad attempts of the last minute than this, from 50 on, and the operation is halted.
             * @example 50
             */
            haltAtFailurePercent?: number;
            /**
             * @description You know that the sender has sent some of it again, and replay it all the same: its receiver may get it twice, under two ids. With `mode: replay` only.
             * @example false
             */
            includeResent?: boolean;
            /**
             * @description Used in the place of the policies of the endpoints when nobody knows whether a request arrived.
             * @example hold
             * @enum {string}
             */
            onAmbiguous?: "resend" | "probe" | "hold";
        };
        /** @description What a retry or replay would do. */
        Plan: {
            /**
             * @description Id of the plan.
             * @example pln_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The same under the name of its operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            operationId: string;
            /**
             * @description How it was asked for; `policy` where it was made because a policy looks at what was started without a plan.
             * @example plan
             * @enum {string}
             */
            origin: "plan" | "dry_run" | "policy";
            /**
             * @description `planning` while it is made, then `planned`; from its execution on the state of its operation.
             * @example planned
             * @enum {string}
             */
            state: "planning" | "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /** @description How many deliveries it is about. */
            count: {
                /**
                 * @description Deliveries that were found.
                 * @example 0
                 */
                items: number;
                /**
                 * @description `atLeast` while it is made, `exact` once it is planned.
                 * @example exact
                 * @enum {string}
                 */
                basis: "exact" | "atLeast";
                /**
                 * @description Those of them that would be sent; the others would be left out, with the reason.
                 * @example 0
                 */
                sends: number;
            };
            /**
             * @description Nothing that was accepted later is in it.
             * @example 2026-11-03T02:00:00.000000Z
             */
            watermark: string;
            /**
             * @description Identifies all that it shows: what is executed is named by it.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            planHash: string | null;
            /**
             * @description SHA-256 over the ids of its deliveries, 16 bytes each, ascending.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            itemsDigest: string | null;
            /**
             * @description SHA-256 over their risks, two bytes each, in the same order.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            risksDigest: string | null;
            risks: components["schemas"]["PlanRisks"];
            /**
             * @description Endpoints that it has deliveries for.
             * @example 0
             */
            endpointCount: number;
            /**
             * Format: date-time
             * @description When it was asked for.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            plannedAt: string | null;
            /**
             * Format: date-time
             * @description When it is cancelled by itself.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string | null;
            /**
             * @description Why it ended, where nobody executed it, or where it was not approved.
             * @example null
             * @enum {string|null}
             */
            endedFor: "plan_expired" | "approval_expired" | "rejected" | "cancelled" | null;
            /**
             * Format: date-time
             * @description When it was executed.
             * @example 2026-11-03T02:00:00.000Z
             */
            executedAt: string | null;
            /**
             * @description Who executed it, as the credential names it.
             * @example null
             */
            executedBy: string | null;
            /**
             * @description The share of its deliveries that may be gone.
             * @example 5
             */
            maxDriftPercent: number | null;
            /** @description What had changed when it was executed; final once its items are made. */
            drift: {
                /**
                 * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                 * @example {
                 *       "already_delivered": 12
                 *     }
                 */
                gone: {
                    [key: string]: number;
                };
                /** @description Endpoints with another address; nothing of the plan was sent there. */
                endpointChanged: {
                    /**
                     * @description The endpoint.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description Its version in the plan.
                     * @example 3
                     */
                    from: number;
                    /**
                     * @description Its version then.
                     * @example 4
                     */
                    to: number;
                    /**
                     * @description What of its address has changed.
                     * @example [
                     *       "url"
                     *     ]
                     */
                    members: string[];
                }[];
                /**
                 * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                 * @example 3
                 */
                added: number | null;
            } | null;
            /** @description What had changed the last time that its execution was refused for it. */
            driftTooLarge: {
                /**
                 * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                 * @example {
                 *       "already_delivered": 12
                 *     }
                 */
                gone: {
                    [key: string]: number;
                };
                /** @description Endpoints with another address; nothing of the plan was sent there. */
                endpointChanged: {
                    /**
                     * @description The endpoint.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description Its version in the plan.
                     * @example 3
                     */
                    from: number;
                    /**
                     * @description Its version then.
                     * @example 4
                     */
                    to: number;
                    /**
                     * @description What of its address has changed.
                     * @example [
                     *       "url"
                     *     ]
                     */
                    members: string[];
                }[];
                /**
                 * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                 * @example 3
                 */
                added: number | null;
            } | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This plan.
                 * @example /api/v1/retries/plans/pln_…
                 */
                self: string;
                /**
                 * @description Its deliveries.
                 * @example /api/v1/retries/plans/pln_…/items
                 */
                items: string;
                /**
                 * @description To execute it.
                 * @example /api/v1/retries/plans/pln_…/execute
                 */
                execute: string;
                /**
                 * @description Its operation.
                 * @example /api/v1/retries/op_…
                 */
                operation: string;
            };
            /**
             * @description What `planHash` is the SHA-256 of, once it is planned: this object as RFC 8785 JSON, so that anybody can compute it again.
             * @example {
             *       "v": 1,
             *       "items": 700
             *     }
             */
            identity: {
                [key: string]: unknown;
            } | null;
            /** @description How long all of it takes; null where it has more endpoints than are shown. */
            timeToFinish: {
                /**
                 * @description At best, where nothing but its limits gets in the way.
                 * @example 120
                 */
                minSeconds: number;
                /**
                 * @description Where each answer takes as long as it may, live traffic takes its headroom and the service is busy; null where nothing that is known limits it.
                 * @example 900
                 */
                maxSeconds: number | null;
            } | null;
            /**
             * @description The share of the pace of an endpoint that is left to live traffic.
             * @example 25
             */
            liveHeadroomPercent: number;
            /** @description Its endpoints, the largest 100. */
            endpoints: {
                /**
                 * @description The endpoint.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
                /**
                 * @description Its handle.
                 * @example warehouse
                 */
                handle: string;
                /**
                 * @description Its state now.
                 * @example enabled
                 * @enum {string}
                 */
                state: "enabled" | "disabled" | "deleted";
                /**
                 * @description Deliveries of the plan.
                 * @example 700
                 */
                items: number;
                /**
                 * @description Those of them that would be sent.
                 * @example 690
                 */
                sends: number;
                risks: components["schemas"]["PlanRisks"];
                /**
                 * @description The versions that they were first sent with; none where none of them was sent.
                 * @example [
                 *       2
                 *     ]
                 */
                originalVersions: number[];
                /**
                 * @description Its version when the plan was made: the address of it is where they go.
                 * @example 3
                 */
                plannedVersion: number;
                /**
                 * @description Its version now.
                 * @example 3
                 */
                currentVersion: number;
                /**
                 * @description The members that differ between the first original version and the current one.
                 * @example [
                 *       "url",
                 *       "timeoutMs"
                 *     ]
                 */
                changed: string[];
                /**
                 * @description The members of the first original version; headers by name only. Null without one, and for a credential without the scope `read:endpoints`.
                 * @example {
                 *       "url": "https://hooks.example/old"
                 *     }
                 */
                was: {
                    [key: string]: unknown;
                } | null;
                /**
                 * @description The same of the current version.
                 * @example {
                 *       "url": "https://hooks.example/new"
                 *     }
                 */
                now: {
                    [key: string]: unknown;
                } | null;
                /** @description How long it takes from now on, if it is executed now and no attempt fails. */
                timeToFinish: {
                    /**
                     * @description At best, where nothing but its limits gets in the way.
                     * @example 120
                     */
                    minSeconds: number;
                    /**
                     * @description Where each answer takes as long as it may, live traffic takes its headroom and the service is busy; null where nothing that is known limits it.
                     * @example 900
                     */
                    maxSeconds: number | null;
                };
            }[];
        };
        PlanExecution: {
            /**
             * @description `planHash` of the plan that was looked at: what it shows is executed, and nothing else.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            planHash: string;
            /**
             * @description The share of its deliveries that may be gone: beyond it nothing is sent, and the plan stays. Any share where left out.
             * @example 5
             */
            maxDriftPercent?: number;
        };
        /** @description A delivery of a plan, as it was planned and as it is. */
        PlanItem: {
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The event it delivers.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string;
            /**
             * @description Your id of the event.
             * @example inv-2026-000123
             */
            externalId: string | null;
            /**
             * @description Its type.
             * @example invoice.paid
             */
            eventType: string;
            /**
             * @description Its risks when it was planned.
             * @example [
             *       "mayHaveArrived"
             *     ]
             */
            risks: ("mayHaveArrived" | "unknown" | "openElsewhere" | "heldByPaused" | "alreadyDelivered" | "endpointDisabled" | "endpointDeleted" | "circuitOpen" | "payloadExpired" | "payloadExpiresBeforeItsTurn" | "addressChanged" | "secretRotated" | "filterChanged" | "orderBlocked")[];
            /**
             * @description Its risks now.
             * @example [
             *       "mayHaveArrived"
             *     ]
             */
            risksNow: ("mayHaveArrived" | "unknown" | "openElsewhere" | "heldByPaused" | "alreadyDelivered" | "endpointDisabled" | "endpointDeleted" | "circuitOpen" | "payloadExpired" | "payloadExpiresBeforeItsTurn" | "addressChanged" | "secretRotated" | "filterChanged" | "orderBlocked")[];
            /**
             * @description Why it would not be sent now; null where it would.
             * @example null
             * @enum {string|null}
             */
            leftOutFor: "coalesced" | "already_delivered" | "changed_since" | "held" | "outcome_unknown" | "suppressed_duplicate" | "resent" | "payload_expired" | "endpoint_disabled" | "endpoint_deleted" | "endpoint_changed" | "no_longer_matches" | "already_retried" | "not_retryable" | null;
            /**
             * @description That reason as a sentence.
             * @example null
             */
            why: string | null;
            /**
             * @description The execution of it that is open.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            openExecutionId: string | null;
            /**
             * @description The operation that works that one.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            openOperationId: string | null;
        };
        AcceptedOperation: {
            /**
             * @description Id of the operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The API that it was asked for by.
             * @example native
             */
            surface: string;
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description State of the operation.
             * @example running
             * @enum {string}
             */
            state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description The command of its owner.
             * @example run
             * @enum {string}
             */
            control: "run" | "pause" | "cancel";
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.
             * @example null
             */
            plannedItems: number | null;
            /**
             * @description Requests per second at most, now; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.
             * @example 120
             */
            etaSeconds: number | null;
            /** @description Items that `etaSeconds` says nothing about; null where that is. */
            etaLeavesOut: {
                /**
                 * @description Items that wait for a time of their own.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Items that wait until somebody knows their outcome.
                 * @example 0
                 */
                unknown: number;
            } | null;
            /**
             * @description Its selection has ended and found nothing: `expected` is 0, and it is `completed`.
             * @example false
             */
            nothingSelected: boolean;
            /** @description The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /**
             * @description Its workflow in Temporal.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /** @description The next event, and its time; null once it has ended. */
            nextEvent: {
                /**
                 * @description The next event, which comes by itself.
                 * @example due
                 */
                what: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * @description Its workflow could not be started or had to be revived; this is being seen to.
             * @example false
             */
            stalled: boolean;
            /** @description Why it was halted, the last time; once resumed, it is judged by its attempts from then on. */
            halt: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This operation.
                 * @example /api/v1/retries/op_…
                 */
                self: string;
                /**
                 * @description Its ledger.
                 * @example /api/v1/retries/op_…/items
                 */
                items: string;
                /**
                 * @description Its progress as it happens.
                 * @example /api/v1/retries/op_…/stream
                 */
                stream: string;
                /**
                 * @description Its result, once it has ended.
                 * @example /api/v1/retries/op_…/report
                 */
                report: string;
            };
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            /** @description The fate of each delivery, where ids were given; with a filter, deliveries are selected behind the answer. */
            items?: components["schemas"]["AcceptedItem"][];
            /**
             * Format: date-time
             * @description Until then the same key gets this answer again.
             * @example 2026-11-03T02:00:00.000Z
             */
            idempotencyExpiresAt?: string;
        };
        /** @description expected = the sum of all others, at any moment. */
        OperationCounts: {
            /**
             * @description All that was selected: always the sum of the others.
             * @example 0
             */
            expected: number;
            /**
             * @description Due and unsent.
             * @example 0
             */
            queued: number;
            /**
             * @description On the wire.
             * @example 0
             */
            sending: number;
            /**
             * @description Waiting for a time.
             * @example 0
             */
            scheduled: number;
            /**
             * @description Acknowledged.
             * @example 0
             */
            delivered: number;
            /**
             * @description Given up.
             * @example 0
             */
            failed: number;
            /**
             * @description May have arrived; waiting to be settled.
             * @example 0
             */
            unknown: number;
            /**
             * @description Not sent, with a reason.
             * @example 0
             */
            ignored: number;
            /**
             * @description Not sent because the operation was cancelled.
             * @example 0
             */
            cancelled: number;
            /**
             * @description Taken over by another retry.
             * @example 0
             */
            superseded: number;
            /**
             * @description Selected but not run, with a reason.
             * @example 0
             */
            excluded: number;
        };
        /** @description The fate of one delivery of an explicit list. */
        AcceptedItem: {
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The delivery that is sent in its place, under a new identity; only of a replay with `newIdentity`.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            newDeliveryId?: string;
            /**
             * @description It is an item of the operation; `ignored` is one that can send nothing.
             * @example queued
             * @enum {string}
             */
            became: "queued" | "scheduled" | "ignored";
            /**
             * @description The execution that runs it.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            executionId: string;
            /**
             * @description The execution it took over.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            supersededExecutionId?: string;
        } | {
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description It is not run.
             * @example excluded
             * @enum {string}
             */
            became: "excluded";
            /**
             * @description Why it was not run.
             * @example coalesced
             * @enum {string}
             */
            reason: "coalesced" | "already_delivered" | "changed_since" | "held" | "outcome_unknown" | "suppressed_duplicate" | "resent" | "payload_expired" | "endpoint_disabled" | "endpoint_deleted" | "endpoint_changed" | "no_longer_matches" | "already_retried" | "not_retryable";
            /**
             * @description The reason as a sentence.
             * @example Another execution of it is open and will be sent.
             */
            why: string;
            /**
             * @description The next call, as a sentence.
             * @example Nothing is to be done; `GET` the execution that is named to follow it.
             */
            next: string;
            /**
             * @description The execution that owns the delivery: it was joined, is held, or its outcome is not known.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            joinedExecutionId?: string;
            /**
             * @description The delivery that stands for it since its sender sent the event again.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            resentBy?: string;
            /**
             * @description The stopped operation that holds it.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            heldBy?: string;
        };
        /** @description One retry or replay, without its selection. */
        OperationSummary: {
            /**
             * @description Id of the operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The API that it was asked for by.
             * @example native
             */
            surface: string;
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description State of the operation.
             * @example running
             * @enum {string}
             */
            state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description The command of its owner.
             * @example run
             * @enum {string}
             */
            control: "run" | "pause" | "cancel";
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.
             * @example null
             */
            plannedItems: number | null;
            /**
             * @description Requests per second at most, now; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.
             * @example 120
             */
            etaSeconds: number | null;
            /** @description Items that `etaSeconds` says nothing about; null where that is. */
            etaLeavesOut: {
                /**
                 * @description Items that wait for a time of their own.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Items that wait until somebody knows their outcome.
                 * @example 0
                 */
                unknown: number;
            } | null;
            /**
             * @description Its selection has ended and found nothing: `expected` is 0, and it is `completed`.
             * @example false
             */
            nothingSelected: boolean;
            /** @description The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /**
             * @description Its workflow in Temporal.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /** @description The next event, and its time; null once it has ended. */
            nextEvent: {
                /**
                 * @description The next event, which comes by itself.
                 * @example due
                 */
                what: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /** @description The reasons why something of it waits, at the first twenty endpoints that it has something for; of each reason the first end that is known. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /**
             * @description Its workflow could not be started or had to be revived; this is being seen to.
             * @example false
             */
            stalled: boolean;
            /** @description Why it was halted, the last time; once resumed, it is judged by its attempts from then on. */
            halt: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This operation.
                 * @example /api/v1/retries/op_…
                 */
                self: string;
                /**
                 * @description Its ledger.
                 * @example /api/v1/retries/op_…/items
                 */
                items: string;
                /**
                 * @description Its progress as it happens.
                 * @example /api/v1/retries/op_…/stream
                 */
                stream: string;
                /**
                 * @description Its result, once it has ended.
                 * @example /api/v1/retries/op_…/report
                 */
                report: string;
            };
        };
        OperationDetails: {
            /**
             * @description Id of the operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The API that it was asked for by.
             * @example native
             */
            surface: string;
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description State of the operation.
             * @example running
             * @enum {string}
             */
            state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description The command of its owner.
             * @example run
             * @enum {string}
             */
            control: "run" | "pause" | "cancel";
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.
             * @example null
             */
            plannedItems: number | null;
            /**
             * @description Requests per second at most, now; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.
             * @example 120
             */
            etaSeconds: number | null;
            /** @description Items that `etaSeconds` says nothing about; null where that is. */
            etaLeavesOut: {
                /**
                 * @description Items that wait for a time of their own.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Items that wait until somebody knows their outcome.
                 * @example 0
                 */
                unknown: number;
            } | null;
            /**
             * @description Its selection has ended and found nothing: `expected` is 0, and it is `completed`.
             * @example false
             */
            nothingSelected: boolean;
            /** @description The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /**
             * @description Its workflow in Temporal.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /** @description The next event, and its time; null once it has ended. */
            nextEvent: {
                /**
                 * @description The next event, which comes by itself.
                 * @example due
                 */
                what: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /** @description The reasons why something of it waits, at the first twenty endpoints that it has something for; of each reason the first end that is known. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /**
             * @description Its workflow could not be started or had to be revived; this is being seen to.
             * @example false
             */
            stalled: boolean;
            /** @description Why it was halted, the last time; once resumed, it is judged by its attempts from then on. */
            halt: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This operation.
                 * @example /api/v1/retries/op_…
                 */
                self: string;
                /**
                 * @description Its ledger.
                 * @example /api/v1/retries/op_…/items
                 */
                items: string;
                /**
                 * @description Its progress as it happens.
                 * @example /api/v1/retries/op_…/stream
                 */
                stream: string;
                /**
                 * @description Its result, once it has ended.
                 * @example /api/v1/retries/op_…/report
                 */
                report: string;
            };
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            /** @description The acts on it, in their order; the newest 500. */
            controls: {
                /**
                 * @description The act.
                 * @example pause
                 * @enum {string}
                 */
                did: "pause" | "resume" | "rate" | "cancel" | "halt" | "execute" | "hold" | "explain" | "approve" | "reject" | "emergency";
                /**
                 * @description Who did it, as its credential names it; `redrive` where nobody asked, `temporal` where it was cancelled there.
                 * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                by: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
                /**
                 * @description With `rate`: the rate that it was set to; null lifts the limit.
                 * @example 50
                 */
                ratePerSecond?: number | null;
                /** @description With `resume`: the endpoints that alone went on. */
                endpointIds?: string[];
            }[];
            /** @description Each time that it was halted, with the numbers. */
            halts: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            }[];
            /**
             * @description Endpoints that it has items for; null like `endpoints`.
             * @example 1
             */
            endpointCount: number | null;
            /** @description The results of its items at each endpoint, the largest 100; null while an operation of more than 10000 items runs, or where it closed before this was kept. */
            endpoints: {
                /**
                 * @description The endpoint.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
                /**
                 * @description Its handle.
                 * @example warehouse
                 */
                handle: string;
                /**
                 * @description Items for it.
                 * @example 0
                 */
                items: number;
                /**
                 * @description Acknowledged.
                 * @example 0
                 */
                delivered: number;
                /**
                 * @description Given up.
                 * @example 0
                 */
                failed: number;
                /**
                 * @description May have arrived.
                 * @example 0
                 */
                unknown: number;
                /**
                 * @description Open, ignored, cancelled or superseded.
                 * @example 0
                 */
                others: number;
            }[] | null;
            /** @description Why items are not delivered, the largest 100 groups; null like `endpoints`. */
            causes: {
                /**
                 * @description State of these items.
                 * @example failed
                 * @enum {string}
                 */
                state: "queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered";
                /**
                 * @description Why they ended as they did.
                 * @example exhausted
                 */
                reason: string | null;
                /**
                 * @description Why their last attempts did not deliver.
                 * @example http_5xx
                 */
                faultCode: string | null;
                /**
                 * @description Status of the last answers.
                 * @example 503
                 */
                httpStatus: number | null;
                /**
                 * @description How many they are.
                 * @example 0
                 */
                items: number;
            }[] | null;
            /** @description The plan that it was, or still is; null where it was started without one. */
            plan: {
                /**
                 * @description The plan.
                 * @example pln_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Deliveries that it showed, whether it was executed or not.
                 * @example 0
                 */
                items: number;
                /**
                 * @description Identifies all that it shows: what is executed is named by it.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                planHash: string | null;
                /**
                 * @description SHA-256 over the ids of its deliveries, 16 bytes each, ascending.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                itemsDigest: string | null;
                /**
                 * Format: date-time
                 * @description When it was executed.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                executedAt: string | null;
                /** @description What had changed when it was executed; final once its items are made. */
                drift: {
                    /**
                     * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                     * @example {
                     *       "already_delivered": 12
                     *     }
                     */
                    gone: {
                        [key: string]: number;
                    };
                    /** @description Endpoints with another address; nothing of the plan was sent there. */
                    endpointChanged: {
                        /**
                         * @description The endpoint.
                         * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                         */
                        endpointId: string;
                        /**
                         * @description Its version in the plan.
                         * @example 3
                         */
                        from: number;
                        /**
                         * @description Its version then.
                         * @example 4
                         */
                        to: number;
                        /**
                         * @description What of its address has changed.
                         * @example [
                         *       "url"
                         *     ]
                         */
                        members: string[];
                    }[];
                    /**
                     * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                     * @example 3
                     */
                    added: number | null;
                } | null;
            } | null;
            /** @description What a policy asked of it, the last time, and who approved; null where none held it. */
            approval: {
                /**
                 * @description What is approved: the hash of the plan.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                planHash: string;
                /**
                 * @description The policy that held it, by its digest.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                policy: string;
                /**
                 * @description Why it has to be approved: its number of items, a risk, or a quota.
                 * @example [
                 *       "items"
                 *     ]
                 */
                because: ("items" | "mayHaveArrived" | "endpointChanged" | "replayOfDelivered" | "itemsPerOperation" | "itemsPerDay" | "openOperations" | "ratePerSecond")[];
                /**
                 * @description Words that are still to be given: `POST …/explain`.
                 * @example []
                 */
                missing: ("reason" | "ticket")[];
                /** @description Who approves: never who asked for it. */
                approvers: {
                    /**
                     * @description How many distinct actors have to approve.
                     * @example 2
                     */
                    needed: number;
                    /**
                     * @description How many have.
                     * @example 1
                     */
                    given: number;
                    /**
                     * @description The scope of those who may.
                     * @example approve:retries
                     * @enum {string}
                     */
                    scope: "approve:retries";
                };
                /** @description What was said, in its order. */
                verdicts: {
                    /**
                     * @description What was said.
                     * @example approve
                     * @enum {string}
                     */
                    verdict: "approve" | "reject" | "emergency";
                    /**
                     * @description Who said it, as the credential names it.
                     * @example actor:bob
                     */
                    by: string;
                    /**
                     * Format: date-time
                     * @description When.
                     * @example 2026-11-03T02:00:00.000Z
                     */
                    at: string;
                    /**
                     * @description With which words; null without any.
                     * @example checked with support
                     */
                    comment: string | null;
                    /**
                     * @description Their digest, as the signed report has it.
                     * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                     */
                    commentDigest: string | null;
                }[];
                /**
                 * Format: date-time
                 * @description Since when it waited.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                openedAt: string;
                /**
                 * Format: date-time
                 * @description Until when it waited.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                endedAt: string | null;
                /**
                 * @description How that ended: `explained` where only words were missing, `void` where it was approved and too much had changed by then; null while it waits.
                 * @example approved
                 * @enum {string|null}
                 */
                endedFor: "approved" | "explained" | "emergency" | "rejected" | "expired" | "cancelled" | "void" | null;
            } | null;
        };
        ControlledOperation: {
            /**
             * @description Id of the operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The API that it was asked for by.
             * @example native
             */
            surface: string;
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description State of the operation.
             * @example running
             * @enum {string}
             */
            state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description The command of its owner.
             * @example run
             * @enum {string}
             */
            control: "run" | "pause" | "cancel";
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.
             * @example null
             */
            plannedItems: number | null;
            /**
             * @description Requests per second at most, now; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.
             * @example 120
             */
            etaSeconds: number | null;
            /** @description Items that `etaSeconds` says nothing about; null where that is. */
            etaLeavesOut: {
                /**
                 * @description Items that wait for a time of their own.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Items that wait until somebody knows their outcome.
                 * @example 0
                 */
                unknown: number;
            } | null;
            /**
             * @description Its selection has ended and found nothing: `expected` is 0, and it is `completed`.
             * @example false
             */
            nothingSelected: boolean;
            /** @description The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /**
             * @description Its workflow in Temporal.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /** @description The next event, and its time; null once it has ended. */
            nextEvent: {
                /**
                 * @description The next event, which comes by itself.
                 * @example due
                 */
                what: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /** @description The reasons why something of it waits, at the first twenty endpoints that it has something for; of each reason the first end that is known. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /**
             * @description Its workflow could not be started or had to be revived; this is being seen to.
             * @example false
             */
            stalled: boolean;
            /** @description Why it was halted, the last time; once resumed, it is judged by its attempts from then on. */
            halt: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This operation.
                 * @example /api/v1/retries/op_…
                 */
                self: string;
                /**
                 * @description Its ledger.
                 * @example /api/v1/retries/op_…/items
                 */
                items: string;
                /**
                 * @description Its progress as it happens.
                 * @example /api/v1/retries/op_…/stream
                 */
                stream: string;
                /**
                 * @description Its result, once it has ended.
                 * @example /api/v1/retries/op_…/report
                 */
                report: string;
            };
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            /**
             * @description Requests on the wire at this moment: they are never aborted.
             * @example 3
             */
            inFlight: number;
        };
        Resumption: {
            /** @description The endpoints that alone go on; all where left out. */
            endpointIds?: string[];
        };
        RateChange: {
            /**
             * @description Requests per second at most, over all endpoints; null lifts the limit.
             * @example 50
             */
            ratePerSecond?: number | null;
            /**
             * @deprecated
             * @description The same under its earlier name.
             * @example 50
             */
            perSecond?: number | null;
        };
        JudgedOperation: {
            /**
             * @description Id of the operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The API that it was asked for by.
             * @example native
             */
            surface: string;
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description State of the operation.
             * @example running
             * @enum {string}
             */
            state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
            /**
             * @description The command of its owner.
             * @example run
             * @enum {string}
             */
            control: "run" | "pause" | "cancel";
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Deliveries of the plan that it was, or still is: `counts` has none of them before it runs. Those that are found so far while the plan is made; null where it was started without one.
             * @example null
             */
            plannedItems: number | null;
            /**
             * @description Requests per second at most, now; no limit where null.
             * @example 50
             */
            ratePerSecond: number | null;
            /**
             * @description Seconds until all that is due is sent, at the rate of the last seconds; null while it does not run, before anything tells how fast it is, and while something that is due waits for a disabled endpoint, an open circuit or a freeze window.
             * @example 120
             */
            etaSeconds: number | null;
            /** @description Items that `etaSeconds` says nothing about; null where that is. */
            etaLeavesOut: {
                /**
                 * @description Items that wait for a time of their own.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Items that wait until somebody knows their outcome.
                 * @example 0
                 */
                unknown: number;
            } | null;
            /**
             * @description Its selection has ended and found nothing: `expected` is 0, and it is `completed`.
             * @example false
             */
            nothingSelected: boolean;
            /** @description The deliveries that it selected and that were not delivered when it closed; null until then. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /**
             * @description Its workflow in Temporal.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /** @description The next event, and its time; null once it has ended. */
            nextEvent: {
                /**
                 * @description The next event, which comes by itself.
                 * @example due
                 */
                what: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /** @description The reasons why something of it waits, at the first twenty endpoints that it has something for; of each reason the first end that is known. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
            /**
             * @description Its workflow could not be started or had to be revived; this is being seen to.
             * @example false
             */
            stalled: boolean;
            /** @description Why it was halted, the last time; once resumed, it is judged by its attempts from then on. */
            halt: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            } | null;
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This operation.
                 * @example /api/v1/retries/op_…
                 */
                self: string;
                /**
                 * @description Its ledger.
                 * @example /api/v1/retries/op_…/items
                 */
                items: string;
                /**
                 * @description Its progress as it happens.
                 * @example /api/v1/retries/op_…/stream
                 */
                stream: string;
                /**
                 * @description Its result, once it has ended.
                 * @example /api/v1/retries/op_…/report
                 */
                report: string;
            };
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            approval: components["schemas"]["Approval"];
        };
        /** @description What a policy asked of an operation, the last time. */
        Approval: {
            /**
             * @description What is approved: the hash of the plan.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            planHash: string;
            /**
             * @description The policy that held it, by its digest.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            policy: string;
            /**
             * @description Why it has to be approved: its number of items, a risk, or a quota.
             * @example [
             *       "items"
             *     ]
             */
            because: ("items" | "mayHaveArrived" | "endpointChanged" | "replayOfDelivered" | "itemsPerOperation" | "itemsPerDay" | "openOperations" | "ratePerSecond")[];
            /**
             * @description Words that are still to be given: `POST …/explain`.
             * @example []
             */
            missing: ("reason" | "ticket")[];
            /** @description Who approves: never who asked for it. */
            approvers: {
                /**
                 * @description How many distinct actors have to approve.
                 * @example 2
                 */
                needed: number;
                /**
                 * @description How many have.
                 * @example 1
                 */
                given: number;
                /**
                 * @description The scope of those who may.
                 * @example approve:retries
                 * @enum {string}
                 */
                scope: "approve:retries";
            };
            /** @description What was said, in its order. */
            verdicts: {
                /**
                 * @description What was said.
                 * @example approve
                 * @enum {string}
                 */
                verdict: "approve" | "reject" | "emergency";
                /**
                 * @description Who said it, as the credential names it.
                 * @example actor:bob
                 */
                by: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
                /**
                 * @description With which words; null without any.
                 * @example checked with support
                 */
                comment: string | null;
                /**
                 * @description Their digest, as the signed report has it.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                commentDigest: string | null;
            }[];
            /**
             * Format: date-time
             * @description Since when it waited.
             * @example 2026-11-03T02:00:00.000Z
             */
            openedAt: string;
            /**
             * Format: date-time
             * @description Until when it waited.
             * @example 2026-11-03T02:00:00.000Z
             */
            endedAt: string | null;
            /**
             * @description How that ended: `explained` where only words were missing, `void` where it was approved and too much had changed by then; null while it waits.
             * @example approved
             * @enum {string|null}
             */
            endedFor: "approved" | "explained" | "emergency" | "rejected" | "expired" | "cancelled" | "void" | null;
        };
        Approve: {
            /**
             * @description `planHash` of what was looked at: nothing else is approved.
             * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            planHash: string;
            /**
             * @description Words for the record.
             * @example checked with support
             */
            comment?: string;
        };
        Reject: {
            /**
             * @description Why not.
             * @example checked with support
             */
            comment: string;
        };
        Emergency: {
            /**
             * @description Why it cannot wait.
             * @example customers are without service
             */
            reason: string;
        };
        Explain: {
            /**
             * @description The reason, where it is missing.
             * @example endpoint was down
             */
            reason?: string;
            /**
             * @description The ticket, where it is missing.
             * @example OPS-42
             */
            ticket?: string;
        };
        OperationEndpoints: {
            /**
             * Format: date-time
             * @description The moment that all these numbers are of.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
            /**
             * @description `exact`, or `atLeast` where it has more than 100,000 items or exclusions.
             * @example exact
             * @enum {string}
             */
            basis: "exact" | "atLeast";
            /** @description The sum over all endpoints. */
            counts: {
                /**
                 * @description All that was selected: always the sum of the others.
                 * @example 0
                 */
                expected: number;
                /**
                 * @description Due and unsent.
                 * @example 0
                 */
                queued: number;
                /**
                 * @description On the wire.
                 * @example 0
                 */
                sending: number;
                /**
                 * @description Waiting for a time.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Acknowledged.
                 * @example 0
                 */
                delivered: number;
                /**
                 * @description Given up.
                 * @example 0
                 */
                failed: number;
                /**
                 * @description May have arrived; waiting to be settled.
                 * @example 0
                 */
                unknown: number;
                /**
                 * @description Not sent, with a reason.
                 * @example 0
                 */
                ignored: number;
                /**
                 * @description Not sent because the operation was cancelled.
                 * @example 0
                 */
                cancelled: number;
                /**
                 * @description Taken over by another retry.
                 * @example 0
                 */
                superseded: number;
                /**
                 * @description Selected but not run, with a reason.
                 * @example 0
                 */
                excluded: number;
            };
            /**
             * @description How many endpoints they are.
             * @example 3
             */
            endpointCount: number;
            /** @description The largest 500. */
            endpoints: {
                /**
                 * @description The endpoint.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
                /**
                 * @description Its handle.
                 * @example warehouse
                 */
                handle: string;
                /**
                 * @description Its state now.
                 * @example enabled
                 * @enum {string}
                 */
                state: "enabled" | "disabled" | "deleted";
                counts: components["schemas"]["OperationCounts"];
                /** @description Its canary; null where the operation has none, or it has not begun. */
                canary: components["schemas"]["OperationCanary"] | null;
            }[];
            /** @description The sum over the endpoints that are not shown. */
            others: {
                /**
                 * @description All that was selected: always the sum of the others.
                 * @example 0
                 */
                expected: number;
                /**
                 * @description Due and unsent.
                 * @example 0
                 */
                queued: number;
                /**
                 * @description On the wire.
                 * @example 0
                 */
                sending: number;
                /**
                 * @description Waiting for a time.
                 * @example 0
                 */
                scheduled: number;
                /**
                 * @description Acknowledged.
                 * @example 0
                 */
                delivered: number;
                /**
                 * @description Given up.
                 * @example 0
                 */
                failed: number;
                /**
                 * @description May have arrived; waiting to be settled.
                 * @example 0
                 */
                unknown: number;
                /**
                 * @description Not sent, with a reason.
                 * @example 0
                 */
                ignored: number;
                /**
                 * @description Not sent because the operation was cancelled.
                 * @example 0
                 */
                cancelled: number;
                /**
                 * @description Taken over by another retry.
                 * @example 0
                 */
                superseded: number;
                /**
                 * @description Selected but not run, with a reason.
                 * @example 0
                 */
                excluded: number;
            };
        };
        OperationCanary: {
            /**
             * @description `testing` until it is judged; `held`: nothing more is sent there until it is resumed.
             * @example passed
             * @enum {string}
             */
            state: "testing" | "passed" | "held";
            /**
             * @description Items that go first.
             * @example 25
             */
            allowed: number;
            /**
             * @description Those of them that were taken.
             * @example 25
             */
            claimed: number;
            /**
             * @description First attempts, so far or when it was judged; null where it was held by hand.
             * @example 25
             */
            attempts: number | null;
            /**
             * @description Those of them that did not deliver; null like `attempts`.
             * @example 0
             */
            bad: number | null;
        };
        OperationSamples: {
            /**
             * Format: date-time
             * @description The moment of the last point, unless the operation has ended before.
             * @example 2026-11-03T02:00:00.000Z
             */
            asOf: string;
            /** @description Its counts over time, oldest first: when it was accepted, at most 500 points in between, and now or when it ended. */
            points: {
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
                counts: components["schemas"]["OperationCounts"];
            }[];
        };
        /** @description One line of the ledger of an operation. */
        OperationItem: {
            /**
             * @description An execution that the operation made.
             * @example item
             * @enum {string}
             */
            kind: "item";
            /**
             * @description The execution.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            executionId: string;
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The delivery that is sent in its place, under a new identity; only of a replay with `newIdentity`.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            newDeliveryId?: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The event it delivers.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string;
            /**
             * @description Your id of the event.
             * @example inv-2026-000123
             */
            externalId: string | null;
            /**
             * @description Its type.
             * @example invoice.paid
             */
            eventType: string;
            /**
             * @description The subject of the event.
             * @example account-42
             */
            key: string | null;
            /**
             * @description State of the execution.
             * @example delivered
             * @enum {string}
             */
            state: "queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered";
            /**
             * @description Why it ended as it did.
             * @example null
             */
            reason: string | null;
            /**
             * @description HTTP requests of this execution.
             * @example 1
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When it is, or was, due.
             * @example 2026-11-03T02:00:00.000Z
             */
            dueAt: string;
            /**
             * @description An attempt whose outcome is not known is among its attempts.
             * @example false
             */
            mayHaveArrived: boolean;
            /**
             * @description Why the last attempt did not deliver.
             * @example null
             */
            faultCode: string | null;
            /**
             * @description Status of the last answer.
             * @example 200
             */
            httpStatus: number | null;
            /**
             * @description The execution that this one took over.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tookOver: string | null;
            /**
             * @description The execution that took this one over.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            supersededBy: string | null;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            finishedAt: string | null;
            /** @description The reasons why it waits, where it is queued or scheduled. Empty: nothing holds it back. */
            waitingFor: components["schemas"]["Wait"][];
        } | {
            /**
             * @description A delivery that was selected but not run.
             * @example exclusion
             * @enum {string}
             */
            kind: "exclusion";
            /**
             * @description The delivery.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string;
            /**
             * @description The endpoint it is for.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description The event it delivers.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string;
            /**
             * @description Your id of the event.
             * @example inv-2026-000123
             */
            externalId: string | null;
            /**
             * @description Its type.
             * @example invoice.paid
             */
            eventType: string;
            /**
             * @description The subject of the event.
             * @example account-42
             */
            key: string | null;
            /**
             * @description Why it was not run.
             * @example coalesced
             * @enum {string}
             */
            reason: "coalesced" | "already_delivered" | "changed_since" | "held" | "outcome_unknown" | "suppressed_duplicate" | "resent" | "payload_expired" | "endpoint_disabled" | "endpoint_deleted" | "endpoint_changed" | "no_longer_matches" | "already_retried" | "not_retryable";
            /**
             * @description The reason as a sentence.
             * @example Another execution of it is open and will be sent.
             */
            why: string;
            /**
             * @description The next call, as a sentence.
             * @example Nothing is to be done; `GET` the execution that is named to follow it.
             */
            next: string;
            /**
             * @description The execution that owns the delivery: it was joined, is held, or its outcome is not known.
             * @example exe_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            joinedExecutionId: string | null;
            /**
             * @description The delivery that stands for it since its sender sent the event again.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            resentBy: string | null;
            /**
             * @description The stopped operation that holds it.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            heldBy: string | null;
            /**
             * Format: date-time
             * @description When it was excluded.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
        };
        /** @description The result of an operation, frozen when it closed; its counts add up. */
        ClosureReport: {
            /**
             * @description The operation.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            operationId: string;
            /**
             * @description How it ended.
             * @example completed
             * @enum {string}
             */
            state: "completed" | "completed_with_failures" | "cancelled";
            /**
             * Format: date-time
             * @description When it was accepted.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string;
            counts: components["schemas"]["OperationCounts"];
            /**
             * @description Failed although an attempt may have arrived.
             * @example 0
             */
            mayHaveArrived: number;
            /**
             * @description Exclusions by reason.
             * @example {
             *       "already_delivered": 3
             *     }
             */
            exclusions: {
                [key: string]: number;
            };
            /**
             * @description `retry` leaves delivered deliveries alone, `replay` sends them again.
             * @example retry
             * @enum {string}
             */
            kind: "retry" | "replay";
            /**
             * @description The version of the endpoint it sends with: the first one used, or the current one.
             * @example current
             * @enum {string}
             */
            target: "original" | "current";
            /**
             * @description It sends new deliveries, with a `webhook-id` of their own, in the place of those it selects.
             * @example false
             */
            newIdentity: boolean;
            /**
             * @description Its selection, as it was sent.
             * @example {
             *       "failuresOf": "op_…"
             *     }
             */
            select: {
                [key: string]: unknown;
            };
            options: components["schemas"]["OperationOptions"];
            /**
             * @description Why, in the words of its owner.
             * @example endpoint was down
             */
            reason: string | null;
            /**
             * @description Where this is tracked.
             * @example OPS-42
             */
            ticket: string | null;
            /**
             * @description Who asked for it, as its credential names it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            requestedBy: string;
            /** @description The acts on it, in their order; the newest 500. */
            controls: {
                /**
                 * @description The act.
                 * @example pause
                 * @enum {string}
                 */
                did: "pause" | "resume" | "rate" | "cancel" | "halt" | "execute" | "hold" | "explain" | "approve" | "reject" | "emergency";
                /**
                 * @description Who did it, as its credential names it; `redrive` where nobody asked, `temporal` where it was cancelled there.
                 * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                by: string;
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
                /**
                 * @description With `rate`: the rate that it was set to; null lifts the limit.
                 * @example 50
                 */
                ratePerSecond?: number | null;
                /** @description With `resume`: the endpoints that alone went on. */
                endpointIds?: string[];
            }[];
            /** @description Each time that it was halted, with the numbers. */
            halts: {
                /**
                 * @description The cause of the halt. After `failed_step` a step of it cannot succeed until its cause is gone: `resume` tries it again, `cancel` ends it.
                 * @example canary
                 * @enum {string}
                 */
                reason: "failure_rate" | "canary" | "failed_step";
                /**
                 * @description The step that failed.
                 * @example select
                 */
                step?: string;
                /**
                 * @description Why: a code of Postgres, or the class of the error.
                 * @example 22008
                 */
                code?: string;
                /**
                 * @description The share of failures it may have.
                 * @example 10
                 */
                limitPercent?: number;
                /**
                 * @description Attempts of the last minute.
                 * @example 80
                 */
                attempts?: number;
                /**
                 * @description Those that did not deliver.
                 * @example 61
                 */
                bad?: number;
                /** @description The results of the canaries. */
                endpoints?: {
                    /**
                     * @description An endpoint whose items are held.
                     * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                     */
                    endpointId: string;
                    /**
                     * @description First attempts of its canary.
                     * @example 25
                     */
                    attempts: number;
                    /**
                     * @description Those that did not deliver.
                     * @example 25
                     */
                    bad: number;
                }[];
                /**
                 * Format: date-time
                 * @description When.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                at: string;
            }[];
            /**
             * @description Endpoints that it has items for; null like `endpoints`.
             * @example 1
             */
            endpointCount: number | null;
            /** @description The results of its items at each endpoint, the largest 100; null while an operation of more than 10000 items runs, or where it closed before this was kept. */
            endpoints: {
                /**
                 * @description The endpoint.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
                /**
                 * @description Its handle.
                 * @example warehouse
                 */
                handle: string;
                /**
                 * @description Items for it.
                 * @example 0
                 */
                items: number;
                /**
                 * @description Acknowledged.
                 * @example 0
                 */
                delivered: number;
                /**
                 * @description Given up.
                 * @example 0
                 */
                failed: number;
                /**
                 * @description May have arrived.
                 * @example 0
                 */
                unknown: number;
                /**
                 * @description Open, ignored, cancelled or superseded.
                 * @example 0
                 */
                others: number;
            }[] | null;
            /** @description Why items are not delivered, the largest 100 groups; null like `endpoints`. */
            causes: {
                /**
                 * @description State of these items.
                 * @example failed
                 * @enum {string}
                 */
                state: "queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered";
                /**
                 * @description Why they ended as they did.
                 * @example exhausted
                 */
                reason: string | null;
                /**
                 * @description Why their last attempts did not deliver.
                 * @example http_5xx
                 */
                faultCode: string | null;
                /**
                 * @description Status of the last answers.
                 * @example 503
                 */
                httpStatus: number | null;
                /**
                 * @description How many they are.
                 * @example 0
                 */
                items: number;
            }[] | null;
            /** @description The plan that it was, or still is; null where it was started without one. */
            plan: {
                /**
                 * @description The plan.
                 * @example pln_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Deliveries that it showed, whether it was executed or not.
                 * @example 0
                 */
                items: number;
                /**
                 * @description Identifies all that it shows: what is executed is named by it.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                planHash: string | null;
                /**
                 * @description SHA-256 over the ids of its deliveries, 16 bytes each, ascending.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                itemsDigest: string | null;
                /**
                 * Format: date-time
                 * @description When it was executed.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                executedAt: string | null;
                /** @description What had changed when it was executed; final once its items are made. */
                drift: {
                    /**
                     * @description Deliveries that the plan would have sent and that were left out instead, by reason.
                     * @example {
                     *       "already_delivered": 12
                     *     }
                     */
                    gone: {
                        [key: string]: number;
                    };
                    /** @description Endpoints with another address; nothing of the plan was sent there. */
                    endpointChanged: {
                        /**
                         * @description The endpoint.
                         * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                         */
                        endpointId: string;
                        /**
                         * @description Its version in the plan.
                         * @example 3
                         */
                        from: number;
                        /**
                         * @description Its version then.
                         * @example 4
                         */
                        to: number;
                        /**
                         * @description What of its address has changed.
                         * @example [
                         *       "url"
                         *     ]
                         */
                        members: string[];
                    }[];
                    /**
                     * @description Deliveries that matched then and were not planned: they were not sent. Null where counting took too long.
                     * @example 3
                     */
                    added: number | null;
                } | null;
            } | null;
            /** @description What a policy asked of it, the last time, and who approved; null where none held it. */
            approval: {
                /**
                 * @description What is approved: the hash of the plan.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                planHash: string;
                /**
                 * @description The policy that held it, by its digest.
                 * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                 */
                policy: string;
                /**
                 * @description Why it has to be approved: its number of items, a risk, or a quota.
                 * @example [
                 *       "items"
                 *     ]
                 */
                because: ("items" | "mayHaveArrived" | "endpointChanged" | "replayOfDelivered" | "itemsPerOperation" | "itemsPerDay" | "openOperations" | "ratePerSecond")[];
                /**
                 * @description Words that are still to be given: `POST …/explain`.
                 * @example []
                 */
                missing: ("reason" | "ticket")[];
                /** @description Who approves: never who asked for it. */
                approvers: {
                    /**
                     * @description How many distinct actors have to approve.
                     * @example 2
                     */
                    needed: number;
                    /**
                     * @description How many have.
                     * @example 1
                     */
                    given: number;
                    /**
                     * @description The scope of those who may.
                     * @example approve:retries
                     * @enum {string}
                     */
                    scope: "approve:retries";
                };
                /** @description What was said, in its order. */
                verdicts: {
                    /**
                     * @description What was said.
                     * @example approve
                     * @enum {string}
                     */
                    verdict: "approve" | "reject" | "emergency";
                    /**
                     * @description Who said it, as the credential names it.
                     * @example actor:bob
                     */
                    by: string;
                    /**
                     * Format: date-time
                     * @description When.
                     * @example 2026-11-03T02:00:00.000Z
                     */
                    at: string;
                    /**
                     * @description With which words; null without any.
                     * @example checked with support
                     */
                    comment: string | null;
                    /**
                     * @description Their digest, as the signed report has it.
                     * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
                     */
                    commentDigest: string | null;
                }[];
                /**
                 * Format: date-time
                 * @description Since when it waited.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                openedAt: string;
                /**
                 * Format: date-time
                 * @description Until when it waited.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                endedAt: string | null;
                /**
                 * @description How that ended: `explained` where only words were missing, `void` where it was approved and too much had changed by then; null while it waits.
                 * @example approved
                 * @enum {string|null}
                 */
                endedFor: "approved" | "explained" | "emergency" | "rejected" | "expired" | "cancelled" | "void" | null;
            } | null;
            /** @description The selected deliveries that were not delivered when it closed; null in reports that are older than this member. `{"select": {"remainderOf": …}}` takes all of them. */
            remainder: {
                /**
                 * @description Deliveries.
                 * @example 0
                 */
                count: number;
                /**
                 * @description By the reason why they were ignored or excluded, or else the state they ended in.
                 * @example {
                 *       "endpoint_disabled": 97
                 *     }
                 */
                byReason: {
                    [key: string]: number;
                };
            } | null;
            /**
             * @description By how much each count differs now, because an acknowledgement, a status request or an operator settled items after it had closed. Empty where none was settled, and where an unsigned report has items that are gone.
             * @example {
             *       "unknown": -2,
             *       "delivered": 2
             *     }
             */
            addendum: {
                [key: string]: number;
            };
            /** @description The lines that it stands for; null where it is not signed. */
            ledger: {
                /**
                 * @description Items and exclusions.
                 * @example 100
                 */
                lines: number;
                /**
                 * @description Root of the hash tree (RFC 9162) over the lines of `GET …/items`.
                 * @example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                 */
                merkleRoot: string;
            } | null;
            /** @description The signature of this report, which `Accept: application/jose+json` gets whole; null in reports of operations that closed before reports were signed. */
            signature: {
                /**
                 * @description The key: `GET /.well-known/redrive/jwks.json` has its public part.
                 * @example sgk_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                kid: string;
                /**
                 * @description SHA-256 of the signed payload, by which addenda name the report.
                 * @example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
                 */
                digest: string;
                /**
                 * Format: date-time
                 * @description When it was signed.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                signedAt: string;
            } | null;
            /**
             * @description HTTP requests in all.
             * @example 100
             */
            attempts: number;
            /**
             * @description When the first request began.
             * @example 2026-11-03T02:00:00.000Z
             */
            firstAttemptAt: string | null;
            /**
             * @description When the last request began.
             * @example 2026-11-03T02:10:00.000Z
             */
            lastAttemptAt: string | null;
        };
        /** @description A JSON Web Signature (RFC 7515) in flattened JSON. */
        Jws: {
            /**
             * @description The payload, in base64url.
             * @example eyJ2IjoxfQ
             */
            payload: string;
            /**
             * @description The header, in base64url: `alg`, `kid` and `typ`.
             * @example eyJhbGciOiJFZERTQSJ9
             */
            protected: string;
            /**
             * @description Ed25519, in base64url.
             * @example aGVsbG8
             */
            signature: string;
        };
        OperationWorkflow: {
            /**
             * @description Its workflow.
             * @example retry/acme/1f0c….1
             */
            workflowId: string;
            /**
             * @description Temporal answers. Where it does not, the operation is sent on all the same as far as it was begun.
             * @example true
             */
            answers: boolean;
            /** @description Its run; null where Temporal does not answer, or knows none: one that closed long ago, or is not started yet. */
            run: components["schemas"]["WorkflowRun"] | null;
        };
        WorkflowRun: {
            /**
             * @description Its run, the last one.
             * @example 0190f3c2-a5b8-7c1e-9d3f-4a5b6c7d8e9f
             */
            runId: string;
            /**
             * @description Its page in the Temporal UI; null where the installation names none.
             * @example https://temporal.example.com/namespaces/default/workflows/retry%2Facme%2F1f0c/0190f3c2/history
             */
            page: string | null;
            /**
             * @description Its status, in lower case.
             * @example running
             */
            status: string;
            /**
             * @description The queue of its slices.
             * @example redrive-bulk
             */
            taskQueue: string;
            /**
             * Format: date-time
             * @description When this run began.
             * @example 2026-11-03T02:00:00.000Z
             */
            startedAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            closedAt: string | null;
            /**
             * @description Events of its history.
             * @example 32
             */
            historyLength: number;
            /**
             * @description Size of its history.
             * @example 9120
             */
            historyBytes: number | null;
            /** @description Its steps that are under way. */
            pendingActivities: {
                /**
                 * @description The step.
                 * @example dispatchSlice
                 */
                type: string;
                /**
                 * @description `scheduled`: no worker has taken it yet.
                 * @example started
                 * @enum {string}
                 */
                state: "scheduled" | "started" | "cancelling" | "paused";
                /**
                 * @description How often it was begun.
                 * @example 1
                 */
                attempt: number;
                /**
                 * Format: date-time
                 * @description When it was, or is, to begin.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                scheduledAt: string | null;
                /**
                 * Format: date-time
                 * @description When it was begun last.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                startedAt: string | null;
                /**
                 * Format: date-time
                 * @description When its worker was heard of last.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                heartbeatAt: string | null;
            }[];
            /** @description What the run saw of its operation last; null where it has ended, or no worker answers. */
            progress: {
                /**
                 * @description The state that it saw.
                 * @example running
                 */
                state: string;
                /**
                 * @description The step that follows.
                 * @example wait
                 */
                step: string;
                /**
                 * @description What it waits for, where it waits.
                 * @example due
                 */
                until: string | null;
            } | null;
        };
        /** @description Proves one line of a closed ledger without the others. */
        LedgerProof: {
            /**
             * @description The line of the delivery in the ledger, to the byte: the leaf, without a newline.
             * @example {"attempts":1,"deliveryId":"dlv_…"}
             */
            line: string;
            /**
             * @description Where it stands among the lines, from 0.
             * @example 41
             */
            leafIndex: number;
            /**
             * @description How many lines there are.
             * @example 1000000
             */
            treeSize: number;
            /** @description The audit path (RFC 9162, section 2.1.3), from the leaf upwards. */
            path: string[];
            /**
             * @description The root that it leads to, as the signed report names it.
             * @example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
             */
            merkleRoot: string;
            /**
             * @description SHA-256 of the payload of that report.
             * @example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
             */
            reportDigest: string;
        };
        /** @description What was settled after the report, signed by itself. */
        ReportAddendum: {
            /**
             * @description From 1, without gaps.
             * @example 1
             */
            number: number;
            /**
             * @description The key that it was signed with.
             * @example sgk_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            kid: string;
            /**
             * @description SHA-256 of the signed payload.
             * @example e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
             */
            digest: string;
            /**
             * Format: date-time
             * @description When it was signed.
             * @example 2026-11-03T02:00:00.000Z
             */
            signedAt: string;
            /**
             * @description Items that it tells of.
             * @example 2
             */
            changes: number;
            jws: components["schemas"]["Jws"];
        };
        SigningJwks: {
            /** @description All keys that there ever were, newest first. */
            keys: components["schemas"]["SigningJwk"][];
        };
        /** @description The public part of a key that reports are signed with. */
        SigningJwk: {
            /**
             * @description Its type (RFC 8037).
             * @example OKP
             * @enum {string}
             */
            kty: "OKP";
            /**
             * @description Its curve.
             * @example Ed25519
             * @enum {string}
             */
            crv: "Ed25519";
            /**
             * @description The public key, in base64url.
             * @example 11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo
             */
            x: string;
            /**
             * @description Its id, which the header of each signature names.
             * @example sgk_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            kid: string;
            /**
             * @description Its use.
             * @example sig
             * @enum {string}
             */
            use: "sig";
            /**
             * @description The algorithm of its signatures.
             * @example EdDSA
             * @enum {string}
             */
            alg: "EdDSA";
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * Format: date-time
             * @description Since when nothing is signed with it any more.
             * @example 2026-11-03T02:00:00.000Z
             */
            retiredAt?: string;
            /**
             * Format: date-time
             * @description When it was said that its private part may be known to others: a report by it counts only where its digest stands in the audit of its tenant.
             * @example 2026-11-03T02:00:00.000Z
             */
            revokedAt?: string;
        };
        /** @description A key that reports are signed with. */
        SigningKey: {
            /**
             * @description The key.
             * @example sgk_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            jwk: components["schemas"]["SigningJwk"];
        };
        /** @description An outage of an endpoint, without its counts. */
        OutageSummary: {
            /**
             * @description Id of the outage.
             * @example out_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The endpoint that was down.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description What opened it: its circuit, its answer 410, an operator who disabled it, or 20 attempts in a row over a minute that were not delivered.
             * @example circuit_open
             * @enum {string}
             */
            cause: "circuit_open" | "gone" | "disabled" | "not_delivered";
            /**
             * @description `open` while the endpoint is down, `recovered` once it is back, `closed` when nothing of its window is left, or `dismissed`.
             * @example recovered
             * @enum {string}
             */
            state: "open" | "recovered" | "closed" | "dismissed";
            /** @description From the first failure to the recovery. */
            window: {
                /**
                 * Format: date-time
                 * @description The first failure, or when it was disabled.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                from: string;
                /**
                 * Format: date-time
                 * @description When it was back, or the outage ended; null while it is open.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                to: string | null;
            };
            /**
             * Format: date-time
             * @description When it was opened.
             * @example 2026-11-03T02:00:00.000Z
             */
            openedAt: string;
            /**
             * @description How often: again where the endpoint failed within a day after it was back.
             * @example 1
             */
            openings: number;
            /**
             * Format: date-time
             * @description When the endpoint was back.
             * @example 2026-11-03T02:00:00.000Z
             */
            recoveredAt: string | null;
            /**
             * @description What its endpoint asked for then; null while it is open.
             * @example propose
             * @enum {string|null}
             */
            onRecovered: "none" | "propose" | "run" | null;
            /**
             * Format: date-time
             * @description When it was closed or dismissed.
             * @example 2026-11-03T02:00:00.000Z
             */
            endedAt: string | null;
            /**
             * @description Why.
             * @example null
             * @enum {string|null}
             */
            endedFor: "nothing_left" | "dismissed" | "retention" | "endpoint_deleted" | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This outage.
                 * @example /api/v1/outages/out_…
                 */
                self: string;
                /**
                 * @description To dismiss it.
                 * @example /api/v1/outages/out_…/dismiss
                 */
                dismiss: string;
            };
        };
        /** @description An outage of an endpoint. */
        Outage: {
            /**
             * @description Id of the outage.
             * @example out_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The endpoint that was down.
             * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            endpointId: string;
            /**
             * @description What opened it: its circuit, its answer 410, an operator who disabled it, or 20 attempts in a row over a minute that were not delivered.
             * @example circuit_open
             * @enum {string}
             */
            cause: "circuit_open" | "gone" | "disabled" | "not_delivered";
            /**
             * @description `open` while the endpoint is down, `recovered` once it is back, `closed` when nothing of its window is left, or `dismissed`.
             * @example recovered
             * @enum {string}
             */
            state: "open" | "recovered" | "closed" | "dismissed";
            /** @description From the first failure to the recovery. */
            window: {
                /**
                 * Format: date-time
                 * @description The first failure, or when it was disabled.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                from: string;
                /**
                 * Format: date-time
                 * @description When it was back, or the outage ended; null while it is open.
                 * @example 2026-11-03T02:00:00.000Z
                 */
                to: string | null;
            };
            /**
             * Format: date-time
             * @description When it was opened.
             * @example 2026-11-03T02:00:00.000Z
             */
            openedAt: string;
            /**
             * @description How often: again where the endpoint failed within a day after it was back.
             * @example 1
             */
            openings: number;
            /**
             * Format: date-time
             * @description When the endpoint was back.
             * @example 2026-11-03T02:00:00.000Z
             */
            recoveredAt: string | null;
            /**
             * @description What its endpoint asked for then; null while it is open.
             * @example propose
             * @enum {string|null}
             */
            onRecovered: "none" | "propose" | "run" | null;
            /**
             * Format: date-time
             * @description When it was closed or dismissed.
             * @example 2026-11-03T02:00:00.000Z
             */
            endedAt: string | null;
            /**
             * @description Why.
             * @example null
             * @enum {string|null}
             */
            endedFor: "nothing_left" | "dismissed" | "retention" | "endpoint_deleted" | null;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This outage.
                 * @example /api/v1/outages/out_…
                 */
                self: string;
                /**
                 * @description To dismiss it.
                 * @example /api/v1/outages/out_…/dismiss
                 */
                dismiss: string;
            };
            /** @description The deliveries of its window. */
            deliveries: {
                /**
                 * @description Deliveries of its window.
                 * @example 0
                 */
                count: number;
                /**
                 * @description `atLeast` where there are more than are counted (100,000).
                 * @example exact
                 * @enum {string}
                 */
                basis: "exact" | "atLeast";
                /** @description By their state now. Those that were accepted before the window and are delivered by now are looked for among the last 100,000 before it. */
                byState: {
                    /**
                     * @description Those that are pending now.
                     * @example 0
                     */
                    pending: number;
                    /**
                     * @description Those that are delivered now.
                     * @example 0
                     */
                    delivered: number;
                    /**
                     * @description Those that are failed now.
                     * @example 0
                     */
                    failed: number;
                    /**
                     * @description Those that are unknown now.
                     * @example 0
                     */
                    unknown: number;
                    /**
                     * @description Those that are cancelled now.
                     * @example 0
                     */
                    cancelled: number;
                    /**
                     * @description Those that are ignored now.
                     * @example 0
                     */
                    ignored: number;
                };
                /**
                 * @description Those that are not delivered, by the cause of their last failure.
                 * @example {
                 *       "http_5xx": 480
                 *     }
                 */
                byFault: {
                    [key: string]: number;
                };
            };
            /**
             * @description Those of them that were ignored because the endpoint was disabled, and that it has not got yet.
             * @example 0
             */
            missedWhileDisabled: number;
            /** @description The operations that selected what it left, newest first; the newest 50. */
            operations: {
                /**
                 * @description The operation.
                 * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                operationId: string;
                /**
                 * @description The same as a plan; null where it is none.
                 * @example pln_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                planId: string | null;
                /**
                 * @description Its kind.
                 * @example retry
                 * @enum {string}
                 */
                kind: "retry" | "replay";
                /**
                 * @description Its state now.
                 * @example planned
                 * @enum {string}
                 */
                state: "planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled";
                /**
                 * @description The recovery has led to it, and nobody asked for it.
                 * @example true
                 */
                madeByRecovery: boolean;
            }[];
        };
        OutageDismissal: {
            /**
             * @description The reason, which the record keeps.
             * @example the customer has it from elsewhere
             */
            reason?: string;
        };
        /** @description Failures of another system, and how far they have been taken. */
        Import: {
            /**
             * @description Id of the import.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description What the lines are: `ndjson` Redrive’s own format, `svix` messages and attempts, `hookdeck` events, `convoy` event deliveries, `sqs` messages of a dead-letter queue, `stripe` events.
             * @example svix
             * @enum {string}
             */
            from: "ndjson" | "svix" | "hookdeck" | "convoy" | "sqs" | "stripe";
            /**
             * @description `open` while it takes lines; `closed`, `abandoned` or, where nobody has gone on with it for a day, `expired`. What it took stays in any case.
             * @example open
             * @enum {string}
             */
            state: "open" | "closed" | "abandoned" | "expired";
            /**
             * @description The line of the file to go on with, counted from 1.
             * @example 1
             */
            nextLine: number;
            /**
             * @description Lines that were taken: the sum of the four that follow.
             * @example 0
             */
            lines: number;
            /**
             * @description Lines that made a delivery or an event, or added an attempt to one.
             * @example 0
             */
            accepted: number;
            /**
             * @description Lines that changed nothing, for their content is known.
             * @example 0
             */
            duplicates: number;
            /**
             * @description Lines that were not taken; the report says why.
             * @example 0
             */
            refused: number;
            /**
             * @description Lines with nothing in them.
             * @example 0
             */
            blank: number;
            /**
             * @description Length of these lines in bytes.
             * @example 0
             */
            bytes: number;
            /** @description The endpoints that its deliveries are for. */
            map: {
                /**
                 * @description An endpoint as the lines name it.
                 * @example ep_2bX
                 */
                theirs: string;
                /**
                 * @description The endpoint that it stands for.
                 * @example end_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                endpointId: string;
            }[];
            /**
             * @description The id of the other system is sent as `webhook-id`.
             * @example true
             */
            keepIds: boolean;
            /**
             * @description Type of events whose lines name none.
             * @example null
             */
            eventType: string | null;
            /**
             * @description Source of its events, unless a line names another one.
             * @example svix
             */
            source: string | null;
            /**
             * @description Name of the batch that its events belong to: plans and lists select by it.
             * @example imp_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            ingestionBatchId: string;
            /**
             * @description Who opened it.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            openedBy: string;
            /**
             * Format: date-time
             * @description When it was opened.
             * @example 2026-11-03T02:00:00.000Z
             */
            openedAt: string;
            /**
             * Format: date-time
             * @description When it ends by itself unless lines come before.
             * @example 2026-11-03T02:00:00.000Z
             */
            expiresAt: string;
            /**
             * Format: date-time
             * @description When it ended.
             * @example 2026-11-03T02:00:00.000Z
             */
            endedAt: string | null;
            /**
             * @description The report is gone: it is kept for 30 days.
             * @example false
             */
            linesRemoved: boolean;
            /** @description Where to go on. */
            links: {
                /**
                 * @description This import.
                 * @example /api/v1/imports/imp_…
                 */
                self: string;
                /**
                 * @description To send lines, and its report.
                 * @example /api/v1/imports/imp_…/lines
                 */
                lines: string;
                /**
                 * @description To close it.
                 * @example /api/v1/imports/imp_…/close
                 */
                close: string;
            };
        };
        NewImport: {
            /**
             * @description What the lines are: `ndjson` Redrive’s own format, `svix` messages and attempts, `hookdeck` events, `convoy` event deliveries, `sqs` messages of a dead-letter queue, `stripe` events.
             * @example svix
             * @enum {string}
             */
            from: "ndjson" | "svix" | "hookdeck" | "convoy" | "sqs" | "stripe";
            /**
             * @description The endpoints of this tenant that the endpoints of the other system stand for. Lines of any other endpoint are refused. Where lines name no endpoint (`sqs`, `stripe`) the only name is `*`.
             * @example {
             *       "ep_2bX": "warehouse"
             *     }
             */
            map: {
                [key: string]: string;
            };
            /**
             * @description Sends the id of the other system as `webhook-id`, so that receivers know what they have had. Ids with a full stop or a character that headers do not carry are refused.
             * @default false
             * @example true
             */
            keepIds?: boolean;
            /**
             * @description The type of events whose lines name none.
             * @example order.created
             */
            eventType?: string;
            /**
             * @description The source of events whose lines name none; the name of the format where left out.
             * @example svix
             */
            source?: string;
            /**
             * @description Your name for the batch; the id of the import where left out.
             * @example from-svix
             */
            ingestionBatchId?: string;
        };
        /** @description The fate of one line of an import. */
        ImportLine: {
            /**
             * @description Number of the line in the file.
             * @example 17
             */
            line: number;
            /**
             * @description The fate of the line.
             * @example refused
             * @enum {string}
             */
            result: "accepted" | "duplicate" | "refused";
            /**
             * @description Why it was not taken; null where it was.
             * @example missing
             * @enum {string|null}
             */
            reason: "line_too_long" | "not_utf8" | "not_json" | "not_an_object" | "nested_too_deep" | "too_many_members" | "missing" | "wrong_member" | "payload_too_large" | "payload_not_json" | "members_too_large" | "not_ended" | "was_delivered" | "unmapped" | "event_unknown" | "too_many_attempts" | "payload_gone" | "known" | "event_exists" | "sent_since" | "id_taken" | null;
            /**
             * @description The same as a sentence.
             * @example A member is missing that the format needs.
             */
            why: string | null;
            /**
             * @description The member that it is about.
             * @example attempts.0.at
             */
            member: string | null;
            /**
             * @description The endpoint that nothing stands for.
             * @example null
             */
            theirs: string | null;
            /**
             * @description The event that it made, or that was known.
             * @example evt_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            eventId: string | null;
            /**
             * @description The delivery that it made, or that was known.
             * @example dlv_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            deliveryId: string | null;
        };
        ImportClosing: {
            /**
             * @description Lines of the file: it is closed only where all of them were taken.
             * @example 1000
             */
            lines?: number;
        };
        /** @description One act of a person or a client, sealed. */
        AuditEntry: {
            /**
             * @description Its place in the chain of the tenant, from 1 on.
             * @example 42
             */
            number: number;
            /**
             * @description Id of the entry.
             * @example aud_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The tenant whose audit it is in.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenant: string;
            /**
             * Format: date-time
             * @description When it was done.
             * @example 2026-11-03T02:00:00.000Z
             */
            at: string;
            /**
             * @description Who did it, as the credential names it: `key_…`, `jwt:iss_…:<subject>`, `signer:<handle>`.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            actor: string;
            /**
             * @description The API key, where it was done with one.
             * @example key_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            keyId: string | null;
            /**
             * @description What was done: tenant.made, tenant.changed, platform_limits.changed, retention_floors.changed, policy.changed, key.made, key.revoked, jwt_issuer.made, jwt_issuer.revoked, session.opened, session.ended, signer.made, signer.removed, access_rule.made, access_rule.removed, endpoint.made, endpoint.changed, endpoint.enabled, endpoint.disabled, endpoint.secret_rotated, endpoint.deleted, endpoint.tested, event.payload_erased, event.repeated, operation.planned, operation.executed, operation.accepted, operation.paused, operation.resumed, operation.paced, operation.cancelled, operation.explained, operation.approved, operation.rejected, operation.emergency, delivery.resolved, resolution.begun, deliveries.resolved, report.signed, addendum.signed, signing_key.rotated, signing_key.revoked, receipt_replay.previewed, receipt_replay.confirmed, receipt_replay.executed, diagnostics.previewed, diagnostics.frozen, outage.dismissed, import.opened, import.continued, import.closed, import.abandoned, import.expired.
             * @example operation.accepted
             */
            action: string;
            /**
             * @description Id of what it was done to.
             * @example op_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            target: string;
            /**
             * @description Its facts: ids, counts, codes and names of members.
             * @example {
             *       "version": 2
             *     }
             */
            detail: {
                [key: string]: unknown;
            };
            /**
             * @description SHA-256 of `redrive.audit.words.v1`, a newline, `salt`, and the RFC 8785 JSON of `words`; null where there were none.
             * @example b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
             */
            wordsDigest: string | null;
            /** @description The words that came with it; null where there were none, or they were erased. */
            words: {
                /**
                 * @description The reason.
                 * @example the receiver was down
                 */
                reason?: string;
                /**
                 * @description The ticket.
                 * @example INC-4711
                 */
                ticket?: string;
            } | null;
            /**
             * @description Salt of the digest; erased with the words.
             * @example 00112233445566778899aabbccddeeff
             */
            salt: string | null;
            /**
             * @description `hash` of the entry before; 64 zeros for the first.
             * @example b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
             */
            prev: string;
            /**
             * @description SHA-256 of `redrive.audit.v1`, a newline, `prev`, and the RFC 8785 JSON of the members from `number` to `wordsDigest`.
             * @example b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
             */
            hash: string;
        };
        /** @description The end of the chain of a tenant at some time. */
        AuditCheckpoint: {
            /**
             * @description The tenant.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenant: string;
            /**
             * @description The newest entry then.
             * @example 42
             */
            number: number;
            /**
             * @description Its hash.
             * @example b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9
             */
            hash: string;
            /**
             * Format: date-time
             * @description When.
             * @example 2026-11-03T02:00:00.000Z
             */
            at: string;
            /** @description The same, signed by a key of reports (`typ: redrive-checkpoint+json`); null where it was kept before checkpoints were signed. */
            jws: {
                /**
                 * @description The payload, in base64url.
                 * @example eyJ2IjoxfQ
                 */
                payload: string;
                /**
                 * @description The header, in base64url: `alg`, `kid` and `typ`.
                 * @example eyJhbGciOiJFZERTQSJ9
                 */
                protected: string;
                /**
                 * @description Ed25519, in base64url.
                 * @example aGVsbG8
                 */
                signature: string;
            } | null;
        };
        /** @description A session of the console. */
        Session: {
            /**
             * @description Id of the session; not the cookie.
             * @example ses_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Who is signed in, as the audit names them.
             * @example key_01k9z3…
             */
            actor: string;
            /** @description The tenant that the credential belongs to; null for one of the installation, whose calls name a tenant in `Redrive-Tenant`. */
            tenant: {
                /**
                 * @description Its id.
                 * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
                 */
                id: string;
                /**
                 * @description Its handle.
                 * @example acme
                 */
                handle: string;
            } | null;
            /**
             * @description What the credential may do now; each call asks again.
             * @example [
             *       "read:deliveries"
             *     ]
             */
            scopes: ("admin" | "write:keys" | "read:endpoints" | "write:endpoints" | "write:events" | "read:deliveries" | "write:deliveries" | "edit:endpoints" | "rotate:secrets" | "delete:endpoints" | "replay:receipts" | "write:diagnostics" | "recover:plans" | "read:audit" | "approve:retries" | "approve:emergency" | "write:imports")[];
            /**
             * @description The grant that a key was made with.
             * @example observer
             * @enum {string|null}
             */
            grant: "observer" | "operator" | "recovery_operator" | "admin" | null;
            /**
             * Format: date-time
             * @description When it is over at the latest.
             * @example 2026-11-03T02:00:00.000Z
             */
            endsAt: string;
            /**
             * @description It is over earlier where it is not used for as long.
             * @example 43200000
             */
            idleMs: number;
        };
        SignIn: {
            /**
             * @description An API key, or a token of a registered issuer.
             * @example rdk_…
             */
            credential?: string;
            /**
             * @description The code of a link that signs in once.
             * @example q6urq6…
             */
            code?: string;
        };
        /** @description The key that the answers of the Minka surface are signed with. */
        SystemSigner: {
            /**
             * @description Always the same.
             * @example system
             * @enum {string}
             */
            handle: "system";
            /**
             * @description Its ed25519 public key, base64 of 32 bytes.
             * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
             */
            public: string;
        };
        CreatedSigner: {
            /**
             * @description Id of the signer.
             * @example sgn_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the signer within the tenant.
             * @example mint
             */
            handle: string;
            /**
             * @description Its ed25519 public key, base64 of 32 bytes.
             * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
             */
            public: string;
            /**
             * @description Who says that the key is the tenant’s: the `key` by its signature, or the `installation`; null where it was registered before that was asked for.
             * @example key
             * @enum {string|null}
             */
            provedBy: "key" | "installation" | null;
            /**
             * Format: date-time
             * @description When it was registered.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * @description The tenant it is registered with.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenantId: string;
        };
        NewSigner: {
            /**
             * @description Name of the signer within the tenant.
             * @example mint
             */
            handle: string;
            /**
             * @description Its ed25519 public key, base64 of 32 bytes.
             * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
             */
            public: string;
            /**
             * @description How the key is written: there is one way.
             * @example ed25519-raw
             * @enum {string}
             */
            format?: "ed25519-raw";
            /**
             * @description Base64 of the signature by the key itself over the UTF-8 text `{"handle":"…","public":"…","tenant":"…"}`, without spaces: handle and public as they are here, the tenant by its handle or id. Required but for keys of the installation.
             * @example m9wWg6fZ5v0x3N1kq1h0yS0m3m4oJ7dX1o2u9JvY8n6V2bq0Qk3r5s7t9uAvBwCxDyEzF1G2H3I4J5K6L7M8Cg==
             */
            proof?: string;
            /**
             * @description Id or handle of the tenant; of the calling key where left out.
             * @example acme
             */
            tenantId?: string;
        };
        /** @description A registered public key: who may sign requests to the Minka surface. */
        Signer: {
            /**
             * @description Id of the signer.
             * @example sgn_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description Name of the signer within the tenant.
             * @example mint
             */
            handle: string;
            /**
             * @description Its ed25519 public key, base64 of 32 bytes.
             * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
             */
            public: string;
            /**
             * @description Who says that the key is the tenant’s: the `key` by its signature, or the `installation`; null where it was registered before that was asked for.
             * @example key
             * @enum {string|null}
             */
            provedBy: "key" | "installation" | null;
            /**
             * Format: date-time
             * @description When it was registered.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
        };
        CreatedAccessRule: {
            /**
             * @description Id of the rule.
             * @example acr_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The action that is granted.
             * @example retry-event
             */
            action: ("retry-event" | "query-event" | "read" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "retry-event"
                 *     ]
                 */
                $in: ("retry-event" | "query-event" | "read" | "any")[];
            };
            /**
             * @description The kind of record that it is granted on; any where left out.
             * @example bridge
             */
            record?: ("bridge" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "bridge"
                 *     ]
                 */
                $in: ("bridge" | "any")[];
            };
            /**
             * @description Who must have signed the request (a read or a list, which has no body to sign, its token); not asked for where left out.
             * @example mint
             */
            signer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            };
            /**
             * @description Who must have signed the token; no token is needed where left out.
             * @example mint
             */
            bearer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            } | {
                /**
                 * @description The same.
                 * @example mint
                 */
                $signer: string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                } | {
                    /**
                     * @description Any of these.
                     * @example [
                     *       "mint"
                     *     ]
                     */
                    $in: (string | {
                        /**
                         * @description Its handle.
                         * @example mint
                         */
                        handle?: string;
                        /**
                         * @description Its public key.
                         * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                         */
                        public?: string;
                        /**
                         * @description How the key is written: there is one way.
                         * @example ed25519-raw
                         * @enum {string}
                         */
                        format?: "ed25519-raw";
                    })[];
                };
            };
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
            /**
             * @description The tenant it belongs to.
             * @example ten_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            tenantId: string;
        };
        NewAccessRule: {
            /**
             * @description The action that is granted.
             * @example retry-event
             */
            action: ("retry-event" | "query-event" | "read" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "retry-event"
                 *     ]
                 */
                $in: ("retry-event" | "query-event" | "read" | "any")[];
            };
            /**
             * @description The kind of record that it is granted on; any where left out.
             * @example bridge
             */
            record?: ("bridge" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "bridge"
                 *     ]
                 */
                $in: ("bridge" | "any")[];
            };
            /**
             * @description Who must have signed the request (a read or a list, which has no body to sign, its token); not asked for where left out.
             * @example mint
             */
            signer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            };
            /**
             * @description Who must have signed the token; no token is needed where left out.
             * @example mint
             */
            bearer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            } | {
                /**
                 * @description The same.
                 * @example mint
                 */
                $signer: string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                } | {
                    /**
                     * @description Any of these.
                     * @example [
                     *       "mint"
                     *     ]
                     */
                    $in: (string | {
                        /**
                         * @description Its handle.
                         * @example mint
                         */
                        handle?: string;
                        /**
                         * @description Its public key.
                         * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                         */
                        public?: string;
                        /**
                         * @description How the key is written: there is one way.
                         * @example ed25519-raw
                         * @enum {string}
                         */
                        format?: "ed25519-raw";
                    })[];
                };
            };
            /**
             * @description Id or handle of the tenant; of the calling key where left out.
             * @example acme
             */
            tenantId?: string;
        };
        /** @description Grants an action on the Minka surface to those who meet all of its conditions. */
        AccessRule: {
            /**
             * @description Id of the rule.
             * @example acr_01k9z3e5hbe7r9qk2m4n6p8r0s
             */
            id: string;
            /**
             * @description The action that is granted.
             * @example retry-event
             */
            action: ("retry-event" | "query-event" | "read" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "retry-event"
                 *     ]
                 */
                $in: ("retry-event" | "query-event" | "read" | "any")[];
            };
            /**
             * @description The kind of record that it is granted on; any where left out.
             * @example bridge
             */
            record?: ("bridge" | "any") | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "bridge"
                 *     ]
                 */
                $in: ("bridge" | "any")[];
            };
            /**
             * @description Who must have signed the request (a read or a list, which has no body to sign, its token); not asked for where left out.
             * @example mint
             */
            signer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            };
            /**
             * @description Who must have signed the token; no token is needed where left out.
             * @example mint
             */
            bearer?: string | {
                /**
                 * @description Its handle.
                 * @example mint
                 */
                handle?: string;
                /**
                 * @description Its public key.
                 * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                 */
                public?: string;
                /**
                 * @description How the key is written: there is one way.
                 * @example ed25519-raw
                 * @enum {string}
                 */
                format?: "ed25519-raw";
            } | {
                /**
                 * @description Any of these.
                 * @example [
                 *       "mint"
                 *     ]
                 */
                $in: (string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                })[];
            } | {
                /**
                 * @description The same.
                 * @example mint
                 */
                $signer: string | {
                    /**
                     * @description Its handle.
                     * @example mint
                     */
                    handle?: string;
                    /**
                     * @description Its public key.
                     * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                     */
                    public?: string;
                    /**
                     * @description How the key is written: there is one way.
                     * @example ed25519-raw
                     * @enum {string}
                     */
                    format?: "ed25519-raw";
                } | {
                    /**
                     * @description Any of these.
                     * @example [
                     *       "mint"
                     *     ]
                     */
                    $in: (string | {
                        /**
                         * @description Its handle.
                         * @example mint
                         */
                        handle?: string;
                        /**
                         * @description Its public key.
                         * @example dsZvr0rEw9sIffHlv1VP65x1NB8GeXezIv6HONk1SIk=
                         */
                        public?: string;
                        /**
                         * @description How the key is written: there is one way.
                         * @example ed25519-raw
                         * @enum {string}
                         */
                        format?: "ed25519-raw";
                    })[];
                };
            };
            /**
             * Format: date-time
             * @description When it was made.
             * @example 2026-11-03T02:00:00.000Z
             */
            createdAt: string;
        };
    };
    responses: {
        /** @description The request is not as it must be; `errors` names the parts. */
        BadRequest: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Things are not as the request takes them to be. */
        Conflict: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Something failed that nobody expected; nothing is half done. */
        Failed: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The credential may not do this. */
        Forbidden: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description There is no such thing for this tenant. */
        NotFound: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description A problem, whose `code` says which. */
        PreconditionFailed: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The request is too large. */
        TooLarge: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The quota is used up: come back after `Retry-After`. */
        TooManyRequests: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The credential is missing or refused. */
        Unauthorized: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description Something that this call needs is away: come back after `Retry-After`. */
        Unavailable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The request cannot be done as it is. */
        Unprocessable: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
        /** @description The body is not JSON, or is encoded in a way that is not read. */
        UnsupportedMediaType: {
            headers: {
                [name: string]: unknown;
            };
            content: {
                "application/problem+json": components["schemas"]["Problem"];
            };
        };
    };
    parameters: {
        /** @description Only deliveries that others of their key wait for. */
        Blocking: "true";
        /** @description `nextCursor` of the page before, with the same filter. */
        Cursor: string;
        /** @description Batches that were dispatched together. Can be repeated. */
        DispatchBatchIds: string[];
        /** @description Endpoints. Can be repeated. */
        EndpointIds: string[];
        /** @description Types of event, exactly. Can be repeated. */
        EventTypes: string[];
        /** @description Causes of the last failure. Can be repeated. */
        FaultCodes: ("http_3xx" | "http_4xx" | "http_408" | "http_409" | "http_410" | "http_425" | "http_429" | "http_5xx" | "timeout" | "connect_timeout" | "connection_refused" | "connection_reset" | "connection_failed" | "dns_failure" | "tls_failure" | "proxy_failed" | "address_blocked" | "invalid_request" | "invalid_response" | "lease_lost" | "unacknowledged" | "gave_up" | "no_answer" | "sender_profile_missing" | "partner_profile_missing" | "guide_missing" | "business_identifier_missing")[];
        /** @description Accepted at this time or later. */
        From: string;
        /** @description The length of the buckets, in UTC. */
        Granularity: "minute" | "hour" | "day";
        /** @description Statuses of the last answer. Can be repeated. */
        HttpStatus: number[];
        /** @description Batches as they were named on ingest. Can be repeated. */
        IngestionBatchIds: string[];
        /** @description The key of the event. */
        Key: string;
        /** @description Last attempt after this time. */
        LastAttemptAfter: string;
        /** @description Last attempt before this time. */
        LastAttemptBefore: string;
        /** @description Rows of the page at most. */
        Limit: number;
        /** @description The origin of the console (REDRIVE_PUBLIC_URL), as browsers send it. */
        Origin: string;
        /** @description Open for longer than so many milliseconds. */
        PendingLongerThanMs: number;
        /** @description `1`: no foreign page can send it. */
        RedriveConsole: string;
        /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
        RedriveTenant: string;
        /** @description Sources of events. Can be repeated. */
        Sources: string[];
        /** @description States; all where left out. Can be repeated. */
        State: ("pending" | "delivered" | "failed" | "unknown" | "cancelled" | "ignored")[];
        /** @description Accepted before this time. */
        To: string;
    };
    requestBodies: never;
    headers: {
        /** @description `true` where this is the stored answer to an earlier request. */
        IdempotencyReplayed: string;
        /** @description The rest of the quota, and the seconds until it is full again (draft-8). */
        RateLimit: string;
        /** @description The quota in force (draft-8). */
        RateLimitPolicy: string;
        /** @description Id of the request, for support and logs. */
        RequestId: string;
    };
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    getHealthz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
        };
    };
    getReadyz: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All parts are ready. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
            /** @description At least one is not. */
            503: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Readiness"];
                };
            };
        };
    };
    getMetrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The text exposition format. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
        };
    };
    getOpenapiJson: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The API as OpenAPI 3.1. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description Version of OpenAPI.
                         * @example 3.1.0
                         */
                        openapi: string;
                    } & {
                        [key: string]: unknown;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
        };
    };
    "getOpenapiBySurface}Jso": {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Its name. */
                surface: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its paths as OpenAPI 3.1. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /**
                         * @description Version of OpenAPI.
                         * @example 3.1.0
                         */
                        openapi: string;
                    } & {
                        [key: string]: unknown;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            404: components["responses"]["NotFound"];
            500: components["responses"]["Failed"];
        };
    };
    getTenants: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of tenants. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Tenant"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postTenants: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewTenant"];
            };
        };
        responses: {
            /** @description The tenant. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getTenantsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or handle of the tenant. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The tenant. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    patchTenantsById: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id or handle of the tenant. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["TenantChange"];
            };
        };
        responses: {
            /** @description The tenant. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Tenant"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPlatformLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The ceilings. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformLimits"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    putPlatformLimits: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewPlatformLimits"];
            };
        };
        responses: {
            /** @description The ceilings. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlatformLimits"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPlatformRetention: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The floors. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionFloors"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    putPlatformRetention: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewRetentionFloors"];
            };
        };
        responses: {
            /** @description The floors. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionFloors"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getKeys: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of keys. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Key"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postKeys: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewKey"];
            };
        };
        responses: {
            /** @description The key, shown once. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedKey"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteKeysById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the key. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked, now or since earlier. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getJwtIssuers: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of issuers. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["JwtIssuer"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postJwtIssuers: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewJwtIssuer"];
            };
        };
        responses: {
            /** @description The issuer. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedJwtIssuer"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteJwtIssuersById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the issuer. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked, now or since earlier: its tokens are refused. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getMe: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Me"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPolicy: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The policy. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TenantPolicy"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    putPolicy: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PolicyBody"];
            };
        };
        responses: {
            /** @description The policy. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TenantPolicy"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getPlatformPolicy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The policy. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TenantPolicy"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    putPlatformPolicy: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PolicyBody"];
            };
        };
        responses: {
            /** @description The policy. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["TenantPolicy"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getEndpoints: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of endpoints. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Endpoint"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEndpoints: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEndpoint"];
            };
        };
        responses: {
            /** @description The endpoint, with its secret. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedEndpoint"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getEndpointsById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndpointDetails"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteEndpointsById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is deleted, now or since earlier. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    patchEndpointsById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["EndpointChange"];
            };
        };
        responses: {
            /** @description The endpoint with its new version. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Endpoint"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEndpointsByIdEnable: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The endpoint. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndpointDetails"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEndpointsByIdDisable: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The endpoint, and the items that wait for it to be enabled. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DisabledEndpoint"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEndpointsByIdRotateSecret: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["SecretRotation"];
            };
        };
        responses: {
            /** @description The new secret, shown once. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RotatedSecret"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEndpointsByIdTest: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is accepted, and on its way. */
            202: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EndpointTest"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getEndpointsByIdVersions: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id or handle of the endpoint. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of versions. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["EndpointVersion"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postListeners: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewListener"];
            };
        };
        responses: {
            /** @description The listener, with its secret. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OpenedListener"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getListenersByIdStream: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the listener. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postListenersByIdAnswers: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the listener. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["ListenerAnswer"];
            };
        };
        responses: {
            /** @description It is taken. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getEvents: {
        parameters: {
            query?: {
                /** @description Types of event, exactly; all where left out. Can be repeated. */
                eventTypes?: string[];
                /** @description Sources of events; all where left out. Can be repeated. */
                sources?: string[];
                /** @description Batches as they were named on ingest. Can be repeated. */
                ingestionBatchIds?: components["parameters"]["IngestionBatchIds"];
                /** @description The subject of the event. */
                key?: string;
                /** @description Accepted at this time or later. */
                from?: components["parameters"]["From"];
                /** @description Accepted before this time. */
                to?: components["parameters"]["To"];
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of events. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["EventSummary"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postEvents: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewEvent"] | components["schemas"]["NewEvent"][];
            };
        };
        responses: {
            /** @description The result of the event, or of each event in the order they came. */
            202: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedEvent"] | components["schemas"]["AcceptedEvent"][];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getEventsById: {
        parameters: {
            query?: {
                /** @description `payload` to see the payload, too. */
                include?: "payload";
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the event, ours or yours. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The event. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Event"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteEventsByIdPayload: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the event, ours or yours. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is gone, now or since earlier. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postDeliveriesResolve: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
                /** @description Makes repeating the request safe for 24 hours. Required with `filter`. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["BulkResolution"];
            };
        };
        responses: {
            /** @description They are settled. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    "Idempotency-Replayed": components["headers"]["IdempotencyReplayed"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ResolvedMany"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Unprocessable"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postDeliveriesByIdResolve: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the delivery. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Resolution"];
            };
        };
        responses: {
            /** @description It is settled. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Resolved"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getStatsAttempts: {
        parameters: {
            query?: {
                /** @description Beginning of the range; a day before its end where left out. */
                from?: string;
                /** @description End of the range, which does not belong to it; now where left out. */
                to?: string;
                /** @description The length of the buckets, in UTC. */
                granularity?: components["parameters"]["Granularity"];
                /** @description What they are told apart by; one series where left out. One or more of `endpoint`, `outcome`, `fault`, `type`, joined by commas. */
                by?: string;
                /** @description Only attempts at these endpoints. Can be repeated. */
                endpointIds?: string[];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AttemptStats"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getStatsEvents: {
        parameters: {
            query?: {
                /** @description Beginning of the range; a day before its end where left out. */
                from?: string;
                /** @description End of the range, which does not belong to it; now where left out. */
                to?: string;
                /** @description The length of the buckets, in UTC. */
                granularity?: components["parameters"]["Granularity"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The counts. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventStats"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getSearch: {
        parameters: {
            query: {
                /** @description The id or name, whole. */
                q: string;
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was found. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SearchResult"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getDeliveriesCount: {
        parameters: {
            query?: {
                /** @description States; all where left out. Can be repeated. */
                state?: components["parameters"]["State"];
                /** @description Endpoints. Can be repeated. */
                endpointIds?: components["parameters"]["EndpointIds"];
                /** @description Types of event, exactly. Can be repeated. */
                eventTypes?: components["parameters"]["EventTypes"];
                /** @description Sources of events. Can be repeated. */
                sources?: components["parameters"]["Sources"];
                /** @description Causes of the last failure. Can be repeated. */
                faultCodes?: components["parameters"]["FaultCodes"];
                /** @description Statuses of the last answer. Can be repeated. */
                httpStatus?: components["parameters"]["HttpStatus"];
                /** @description Batches as they were named on ingest. Can be repeated. */
                ingestionBatchIds?: components["parameters"]["IngestionBatchIds"];
                /** @description Batches that were dispatched together. Can be repeated. */
                dispatchBatchIds?: components["parameters"]["DispatchBatchIds"];
                /** @description The key of the event. */
                key?: components["parameters"]["Key"];
                /** @description Accepted at this time or later. */
                from?: components["parameters"]["From"];
                /** @description Accepted before this time. */
                to?: components["parameters"]["To"];
                /** @description Last attempt before this time. */
                lastAttemptBefore?: components["parameters"]["LastAttemptBefore"];
                /** @description Last attempt after this time. */
                lastAttemptAfter?: components["parameters"]["LastAttemptAfter"];
                /** @description Open for longer than so many milliseconds. */
                pendingLongerThanMs?: components["parameters"]["PendingLongerThanMs"];
                /** @description Only deliveries that others of their key wait for. */
                blocking?: components["parameters"]["Blocking"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The count. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryCount"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getFailuresGroups: {
        parameters: {
            query?: {
                /** @description What they are grouped by; `endpoint,fault` where left out. One or more of `endpoint`, `fault`, `status`, `type`, `hour`, joined by commas. */
                by?: string;
                /** @description States; all where left out. Can be repeated. */
                state?: components["parameters"]["State"];
                /** @description Endpoints. Can be repeated. */
                endpointIds?: components["parameters"]["EndpointIds"];
                /** @description Types of event, exactly. Can be repeated. */
                eventTypes?: components["parameters"]["EventTypes"];
                /** @description Sources of events. Can be repeated. */
                sources?: components["parameters"]["Sources"];
                /** @description Causes of the last failure. Can be repeated. */
                faultCodes?: components["parameters"]["FaultCodes"];
                /** @description Statuses of the last answer. Can be repeated. */
                httpStatus?: components["parameters"]["HttpStatus"];
                /** @description Batches as they were named on ingest. Can be repeated. */
                ingestionBatchIds?: components["parameters"]["IngestionBatchIds"];
                /** @description Batches that were dispatched together. Can be repeated. */
                dispatchBatchIds?: components["parameters"]["DispatchBatchIds"];
                /** @description The key of the event. */
                key?: components["parameters"]["Key"];
                /** @description Accepted at this time or later. */
                from?: components["parameters"]["From"];
                /** @description Accepted before this time. */
                to?: components["parameters"]["To"];
                /** @description Last attempt before this time. */
                lastAttemptBefore?: components["parameters"]["LastAttemptBefore"];
                /** @description Last attempt after this time. */
                lastAttemptAfter?: components["parameters"]["LastAttemptAfter"];
                /** @description Open for longer than so many milliseconds. */
                pendingLongerThanMs?: components["parameters"]["PendingLongerThanMs"];
                /** @description Only deliveries that others of their key wait for. */
                blocking?: components["parameters"]["Blocking"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The groups. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FailureGroups"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getDeliveries: {
        parameters: {
            query?: {
                /** @description States; all where left out. Can be repeated. */
                state?: components["parameters"]["State"];
                /** @description Endpoints. Can be repeated. */
                endpointIds?: components["parameters"]["EndpointIds"];
                /** @description Types of event, exactly. Can be repeated. */
                eventTypes?: components["parameters"]["EventTypes"];
                /** @description Sources of events. Can be repeated. */
                sources?: components["parameters"]["Sources"];
                /** @description Causes of the last failure. Can be repeated. */
                faultCodes?: components["parameters"]["FaultCodes"];
                /** @description Statuses of the last answer. Can be repeated. */
                httpStatus?: components["parameters"]["HttpStatus"];
                /** @description Batches as they were named on ingest. Can be repeated. */
                ingestionBatchIds?: components["parameters"]["IngestionBatchIds"];
                /** @description Batches that were dispatched together. Can be repeated. */
                dispatchBatchIds?: components["parameters"]["DispatchBatchIds"];
                /** @description The key of the event. */
                key?: components["parameters"]["Key"];
                /** @description Accepted at this time or later. */
                from?: components["parameters"]["From"];
                /** @description Accepted before this time. */
                to?: components["parameters"]["To"];
                /** @description Last attempt before this time. */
                lastAttemptBefore?: components["parameters"]["LastAttemptBefore"];
                /** @description Last attempt after this time. */
                lastAttemptAfter?: components["parameters"]["LastAttemptAfter"];
                /** @description Open for longer than so many milliseconds. */
                pendingLongerThanMs?: components["parameters"]["PendingLongerThanMs"];
                /** @description Only deliveries that others of their key wait for. */
                blocking?: components["parameters"]["Blocking"];
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries, or all of them. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Delivery"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                    "application/x-ndjson": components["schemas"]["Delivery"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getDeliveriesById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the delivery. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeliveryDetails"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getDeliveriesByIdAdvice: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the delivery. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The advice. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Advice"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getExecutionsById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the execution. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The execution. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Execution"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postAcks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Acknowledgement"] | components["schemas"]["Acknowledgement"][];
            };
        };
        responses: {
            /** @description The outcome of each acknowledgement. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcknowledgementOutcome"] | components["schemas"]["AcknowledgementOutcome"][];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesPlans: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
                /** @description Makes repeating the request safe for 24 hours. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RetryRequest"];
            };
        };
        responses: {
            /** @description The plan, which is being made. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    "Idempotency-Replayed": components["headers"]["IdempotencyReplayed"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanSummary"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Unprocessable"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesPlansById: {
        parameters: {
            query?: {
                /** @description Seconds to wait at most while the plan is being made. */
                wait?: number;
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the plan. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The plan. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Plan"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesPlansByIdExecute: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the plan. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["PlanExecution"];
            };
        };
        responses: {
            /** @description It goes on as its operation. */
            202: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanSummary"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesPlansByIdItems: {
        parameters: {
            query?: {
                /** @description Risks; all deliveries where left out. Can be repeated. */
                risk?: ("mayHaveArrived" | "unknown" | "openElsewhere" | "heldByPaused" | "alreadyDelivered" | "endpointDisabled" | "endpointDeleted" | "circuitOpen" | "payloadExpired" | "payloadExpiresBeforeItsTurn" | "addressChanged" | "secretRotated" | "filterChanged" | "orderBlocked" | "awaitsApproval")[];
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the plan. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of them. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["PlanItem"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                        /**
                         * @description Deliveries that belong here and are not listed: their events were past their term and are gone. The plan counts them as before.
                         * @example 0
                         */
                        gone: number;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            410: components["responses"]["PreconditionFailed"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetries: {
        parameters: {
            query?: {
                /** @description States; all where left out. Can be repeated. */
                state?: ("planned" | "awaiting_approval" | "accepted" | "selecting" | "running" | "paused" | "halted" | "closing" | "completed" | "completed_with_failures" | "cancelled")[];
                /** @description Only retries, or only replays. */
                kind?: "retry" | "replay";
                /** @description Only operations that one of these asked for. Can be repeated. */
                actor?: string[];
                /** @description Only operations with items for one of these endpoints. Can be repeated. */
                endpointIds?: string[];
                /** @description Accepted at this time or later. */
                from?: components["parameters"]["From"];
                /** @description Accepted before this time. */
                to?: components["parameters"]["To"];
                /** @description A part of the reason or the ticket, in upper or lower case. */
                text?: string;
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of operations. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["OperationSummary"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetries: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
                /** @description Makes repeating the request safe for 24 hours. Required with `filter`, `failuresOf`, `remainderOf` and `outage`. */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RetryRequest"];
            };
        };
        responses: {
            /** @description With `dryRun`: the plan, which is being made. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PlanSummary"];
                };
            };
            /** @description It is accepted. */
            202: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    "Idempotency-Replayed": components["headers"]["IdempotencyReplayed"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AcceptedOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            422: components["responses"]["Unprocessable"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The operation. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationDetails"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdPause: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdCancel: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdResume: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["Resumption"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdRate: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["RateChange"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ControlledOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdApprove: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Approve"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JudgedOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            412: components["responses"]["PreconditionFailed"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdReject: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Reject"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JudgedOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdEmergency: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Emergency"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JudgedOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postRetriesByIdExplain: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["Explain"];
            };
        };
        responses: {
            /** @description The operation as it is now. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JudgedOperation"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdEndpoints: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its endpoints. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationEndpoints"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdSamples: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its samples. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationSamples"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdItems: {
        parameters: {
            query?: {
                /** @description States; all where left out. Can be repeated. */
                state?: ("queued" | "scheduled" | "sending" | "unknown" | "superseded" | "cancelled" | "ignored" | "failed" | "delivered" | "excluded")[];
                /** @description The items as they are now, also where the operation has closed. */
                as?: "now";
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of items, or all of them. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["OperationItem"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                    "application/x-ndjson": components["schemas"]["OperationItem"];
                    "text/csv": string;
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            410: components["responses"]["PreconditionFailed"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdStream: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
                /** @description Id of the last event that was received. */
                "Last-Event-ID"?: string;
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description Nothing will follow the event that `Last-Event-ID` names. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdReport: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The report. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ClosureReport"];
                    "application/jose+json": components["schemas"]["Jws"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdWorkflow: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Its workflow. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OperationWorkflow"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getStream: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
                /** @description Id of the last event that was received. */
                "Last-Event-ID"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The stream. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdItemsByDeliveryIdProof: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
                /** @description Id of the delivery. */
                deliveryId: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The proof. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LedgerProof"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            410: components["responses"]["PreconditionFailed"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getRetriesByIdReportAddenda: {
        parameters: {
            query?: {
                /** @description Addenda of the page at most. */
                limit?: number;
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the operation. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of addenda, oldest first. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["ReportAddendum"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    "get.wellKnownRedriveJwksJson": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The keys (RFC 7517). */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SigningJwks"];
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
        };
    };
    postSigningKeysRotate: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The new key. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SigningKey"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postSigningKeysByIdRevoke: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                /** @description Id of the key. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is revoked, now or since earlier. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SigningKey"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getOutages: {
        parameters: {
            query?: {
                /** @description Endpoints. Can be repeated. */
                endpointIds?: components["parameters"]["EndpointIds"];
                /** @description States; all where left out. Can be repeated. */
                state?: ("open" | "recovered" | "closed" | "dismissed")[];
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of outages. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["OutageSummary"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getOutagesById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the outage. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The outage. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outage"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postOutagesByIdDismiss: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the outage. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["OutageDismissal"];
            };
        };
        responses: {
            /** @description It is dismissed, now or since earlier. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outage"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getImports: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of imports. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Import"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postImports: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewImport"];
            };
        };
        responses: {
            /** @description The import, which takes lines. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getImportsById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the import. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The import. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getImportsByIdLines: {
        parameters: {
            query?: {
                /** @description Fates; all where left out. Can be repeated. */
                result?: ("accepted" | "duplicate" | "refused")[];
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the import. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of lines, or all of them. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["ImportLine"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                    "application/x-ndjson": components["schemas"]["ImportLine"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    putImportsByIdLines: {
        parameters: {
            query?: {
                /** @description The number of the first line of the body, counted from 1. */
                from?: number;
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the import. */
                id: string;
            };
            cookie?: never;
        };
        /** @description Lines of the format of the import, in UTF-8. */
        requestBody: {
            content: {
                "application/x-ndjson": string;
                "application/jsonl": string;
                "application/json-lines": string;
            };
        };
        responses: {
            /** @description The import, with what was taken. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postImportsByIdClose: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the import. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                "application/json": components["schemas"]["ImportClosing"];
            };
        };
        responses: {
            /** @description It is closed, now or since earlier. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postImportsByIdAbandon: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the import. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It has ended, now or since earlier. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Import"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getAudit: {
        parameters: {
            query?: {
                /** @description Who did it; anybody where left out. Can be repeated. */
                actor?: string[];
                /** @description What was done; anything where left out. Can be repeated. */
                action?: ("tenant.made" | "tenant.changed" | "platform_limits.changed" | "retention_floors.changed" | "policy.changed" | "key.made" | "key.revoked" | "jwt_issuer.made" | "jwt_issuer.revoked" | "session.opened" | "session.ended" | "signer.made" | "signer.removed" | "access_rule.made" | "access_rule.removed" | "endpoint.made" | "endpoint.changed" | "endpoint.enabled" | "endpoint.disabled" | "endpoint.secret_rotated" | "endpoint.deleted" | "endpoint.tested" | "event.payload_erased" | "event.repeated" | "operation.planned" | "operation.executed" | "operation.accepted" | "operation.paused" | "operation.resumed" | "operation.paced" | "operation.cancelled" | "operation.explained" | "operation.approved" | "operation.rejected" | "operation.emergency" | "delivery.resolved" | "resolution.begun" | "deliveries.resolved" | "report.signed" | "addendum.signed" | "signing_key.rotated" | "signing_key.revoked" | "receipt_replay.previewed" | "receipt_replay.confirmed" | "receipt_replay.executed" | "diagnostics.previewed" | "diagnostics.frozen" | "outage.dismissed" | "import.opened" | "import.continued" | "import.closed" | "import.abandoned" | "import.expired")[];
                /** @description What it was done to; anything where left out. Can be repeated. */
                target?: string[];
                /** @description Done at this time or later. */
                from?: string;
                /** @description Done before this time. */
                to?: string;
                /** @description Which entries come first. A chain is verified from the oldest on. */
                order?: "oldest" | "newest";
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of entries, or all of them. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["AuditEntry"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                    "application/x-ndjson": components["schemas"]["AuditEntry"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getAuditCheckpoints: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of checkpoints, and the end of the chain. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["AuditCheckpoint"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                        /** @description The end of the chain now; null before the first entry. */
                        head: components["schemas"]["AuditCheckpoint"] | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postConsoleSession: {
        parameters: {
            query?: never;
            header: {
                /** @description `1`: no foreign page can send it. */
                "Redrive-Console": components["parameters"]["RedriveConsole"];
                /** @description The origin of the console (REDRIVE_PUBLIC_URL), as browsers send it. */
                Origin: components["parameters"]["Origin"];
                /** @description Handle or id of the tenant, with a token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["SignIn"];
            };
        };
        responses: {
            /** @description The session; its secret is in the cookie. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    /** @description The cookie: `HttpOnly`, `SameSite=Strict`. */
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Session"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteConsoleSession: {
        parameters: {
            query?: never;
            header: {
                /** @description `1`: no foreign page can send it. */
                "Redrive-Console": components["parameters"]["RedriveConsole"];
                /** @description The origin of the console (REDRIVE_PUBLIC_URL), as browsers send it. */
                Origin: components["parameters"]["Origin"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The session is over, and the cookie is taken away. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    /** @description An empty cookie that has expired. */
                    "Set-Cookie"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            403: components["responses"]["Forbidden"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getSignersSystem: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The signer of the installation. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["SystemSigner"];
                };
            };
            400: components["responses"]["BadRequest"];
            500: components["responses"]["Failed"];
        };
    };
    getSigners: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of signers. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["Signer"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postSigners: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewSigner"];
            };
        };
        responses: {
            /** @description It is registered. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedSigner"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteSignersById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the signer. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is removed. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    getAccessRules: {
        parameters: {
            query?: {
                /** @description Rows of the page at most. */
                limit?: components["parameters"]["Limit"];
                /** @description `nextCursor` of the page before, with the same filter. */
                cursor?: components["parameters"]["Cursor"];
            };
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of rules. */
            200: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @description The rows of this page. */
                        items: components["schemas"]["AccessRule"][];
                        /**
                         * @description Where the next page begins; null on the last one.
                         * @example WyI1dW1…
                         */
                        nextCursor: string | null;
                    };
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    postAccessRules: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                "application/json": components["schemas"]["NewAccessRule"];
            };
        };
        responses: {
            /** @description The rule, in force from now on. */
            201: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["CreatedAccessRule"];
                };
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            409: components["responses"]["Conflict"];
            413: components["responses"]["TooLarge"];
            415: components["responses"]["UnsupportedMediaType"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
    deleteAccessRulesById: {
        parameters: {
            query?: never;
            header?: {
                /** @description Handle or id of the tenant: where the key has scope `admin` and so belongs to none, and with every token of an issuer that a tenant registered. */
                "Redrive-Tenant"?: components["parameters"]["RedriveTenant"];
            };
            path: {
                /** @description Id of the rule. */
                id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is removed. */
            204: {
                headers: {
                    "Request-Id": components["headers"]["RequestId"];
                    "RateLimit-Policy": components["headers"]["RateLimitPolicy"];
                    RateLimit: components["headers"]["RateLimit"];
                    [name: string]: unknown;
                };
                content?: never;
            };
            400: components["responses"]["BadRequest"];
            401: components["responses"]["Unauthorized"];
            403: components["responses"]["Forbidden"];
            404: components["responses"]["NotFound"];
            429: components["responses"]["TooManyRequests"];
            500: components["responses"]["Failed"];
            503: components["responses"]["Unavailable"];
        };
    };
}
