// SPDX-FileCopyrightText: The mainstay authors
// SPDX-License-Identifier: Apache-2.0

package middleware

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// NoAuth2 is nova's noauth2: it believes everybody. X-Auth-Token is USER:PROJECT, or USER for both;
// the user admin is admin. A request without it is answered 204 with a token made of X-Auth-User and
// X-Auth-Project-Id (admin where they are missing) and X-Server-Management-Url. IdentityOf has the
// outcome.
func NoAuth2() Filter { return noAuth(true) }

// NoAuth2V218 is nova's noauth_v2_18, which leaves the project out of X-Server-Management-Url.
func NoAuth2V218() Filter { return noAuth(false) }

func noAuth(projectInPath bool) Filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			token := r.Header["X-Auth-Token"]
			if len(token) == 0 {
				offerToken(w, r, projectInPath)
				return
			}
			user, project, _ := strings.Cut(token[0], ":")
			id := &Identity{UserID: user, ProjectID: cmp.Or(project, user), IsAdmin: user == "admin"}
			if id.IsAdmin {
				id.Roles = adminRoles
			}
			next.ServeHTTP(w, identify(r, id))
		})
	}
}

func offerToken(w http.ResponseWriter, r *http.Request, projectInPath bool) {
	user, project := "admin", "admin"
	if values := r.Header["X-Auth-User"]; len(values) > 0 {
		user = values[0]
	}
	if values := r.Header["X-Auth-Project-Id"]; len(values) > 0 {
		project = values[0]
	}
	url := strings.TrimRight(URL(r), "/")
	if projectInPath {
		url += "/" + project
	}
	w.Header().Set("X-Auth-Token", user+":"+project)
	w.Header().Set("X-Server-Management-Url", url)
	w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
	w.WriteHeader(http.StatusNoContent)
}

// KeystoneContext is nova's and neutron's keystonecontext: who asks is what the identity headers say,
// X-User-Id, X-Project-Id, X-Roles and so on, as authtoken sets them; without a user the answer is
// 401. It belongs behind something that removes such headers of clients. IdentityOf has the outcome.
func KeystoneContext() Filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := identityOf(r.Header)
			if id.UserID == "" {
				Error(w, r, http.StatusUnauthorized, "")
				return
			}
			next.ServeHTTP(w, identify(r, id))
		})
	}
}

// FakeProjectID is neutron's fake_project_id, for auth_strategy noauth: who asks is what the identity
// headers say, and without a project it is an admin of the project fake_project_id.
func FakeProjectID() Filter {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			id := identityOf(r.Header)
			if id.ProjectID == "" {
				id.ProjectID, id.IsAdmin = "fake_project_id", true
				if !slices.ContainsFunc(id.Roles, isAdminRole) {
					id.Roles = append(id.Roles, "admin")
				}
			}
			next.ServeHTTP(w, identify(r, id))
		})
	}
}

// adminRoles are those of noauth2's admin; never changed.
var adminRoles = []string{"admin"}

func isAdminRole(role string) bool { return strings.EqualFold(role, "admin") }

// identityOf reads the identity headers, also those with the names of years ago.
func identityOf(h http.Header) *Identity {
	first := func(names ...string) string {
		for _, name := range names {
			if values := h[name]; len(values) > 0 && values[0] != "" {
				return values[0]
			}
		}
		return ""
	}
	id := &Identity{
		UserID: first("X-User-Id", "X-User"), UserName: first("X-User-Name"),
		UserDomainID: first("X-User-Domain-Id"), UserDomainName: first("X-User-Domain-Name"),
		ProjectID: first("X-Project-Id", "X-Tenant-Id", "X-Tenant"), ProjectName: first("X-Project-Name", "X-Tenant-Name"),
		ProjectDomainID: first("X-Project-Domain-Id"), ProjectDomainName: first("X-Project-Domain-Name"),
		DomainID: first("X-Domain-Id"), DomainName: first("X-Domain-Name"),
		SystemScope:   first("Openstack-System-Scope"),
		Roles:         roles(first("X-Roles", "X-Role")),
		ServiceUserID: first("X-Service-User-Id"), ServiceProjectID: first("X-Service-Project-Id"),
		ServiceRoles: roles(first("X-Service-Roles")),
	}
	id.IsAdmin = slices.ContainsFunc(id.Roles, isAdminRole)
	return id
}

func roles(text string) []string {
	var list []string
	for role := range strings.SplitSeq(text, ",") {
		if role = strings.TrimSpace(role); role != "" {
			list = append(list, role)
		}
	}
	return list
}
