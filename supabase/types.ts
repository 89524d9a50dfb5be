// Made from supabase/migrations/0001_init.sql by `make schema`. Do not edit.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  public: {
    Tables: {
      approval_decisions: {
        Row: {
          approval_id: string
          capacity: "owner" | "governance" | "lead"
          decided_at: string
          decision: "approved" | "rejected"
          digest: string
          person_id: string
          rationale: string
          tenant_id: string
        }
        Insert: {
          approval_id: string
          capacity: "owner" | "governance" | "lead"
          decided_at: string
          decision: "approved" | "rejected"
          digest: string
          person_id: string
          rationale: string
          tenant_id: string
        }
        Update: {
          approval_id?: string
          capacity?: "owner" | "governance" | "lead"
          decided_at?: string
          decision?: "approved" | "rejected"
          digest?: string
          person_id?: string
          rationale?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "approval_decisions_tenant_id_approval_id_fkey"
            columns: ["tenant_id", "approval_id"]
            isOneToOne: false
            referencedRelation: "approvals"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "approval_decisions_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      approval_delegations: {
        Row: {
          approval_id: string
          capacity: "owner" | "governance" | "lead"
          delegated_at: string
          from_person: string
          reason: string
          tenant_id: string
          to_person: string
        }
        Insert: {
          approval_id: string
          capacity: "owner" | "governance" | "lead"
          delegated_at: string
          from_person: string
          reason: string
          tenant_id: string
          to_person: string
        }
        Update: {
          approval_id?: string
          capacity?: "owner" | "governance" | "lead"
          delegated_at?: string
          from_person?: string
          reason?: string
          tenant_id?: string
          to_person?: string
        }
        Relationships: [
          {
            foreignKeyName: "approval_delegations_tenant_id_approval_id_fkey"
            columns: ["tenant_id", "approval_id"]
            isOneToOne: false
            referencedRelation: "approvals"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "approval_delegations_tenant_id_from_person_fkey"
            columns: ["tenant_id", "from_person"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "approval_delegations_tenant_id_to_person_fkey"
            columns: ["tenant_id", "to_person"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      approvals: {
        Row: {
          consumed_at: string | null
          decided_at: string | null
          digest: string
          expires_at: string
          id: string
          mission_id: string
          number: number
          requested_at: string
          requested_by: string
          required: string[]
          risk: "low" | "medium_low" | "medium" | "high" | "critical"
          status: "requested" | "approved" | "rejected" | "expired" | "voided"
          status_reason: string
          tenant_id: string
        }
        Insert: {
          consumed_at?: string | null
          decided_at?: string | null
          digest: string
          expires_at: string
          id: string
          mission_id: string
          number?: never
          requested_at: string
          requested_by: string
          required: string[]
          risk: "low" | "medium_low" | "medium" | "high" | "critical"
          status: "requested" | "approved" | "rejected" | "expired" | "voided"
          status_reason?: string
          tenant_id: string
        }
        Update: {
          consumed_at?: string | null
          decided_at?: string | null
          digest?: string
          expires_at?: string
          id?: string
          mission_id?: string
          number?: never
          requested_at?: string
          requested_by?: string
          required?: string[]
          risk?: "low" | "medium_low" | "medium" | "high" | "critical"
          status?: "requested" | "approved" | "rejected" | "expired" | "voided"
          status_reason?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "approvals_mission_id_digest_fkey"
            columns: ["mission_id", "digest"]
            isOneToOne: false
            referencedRelation: "plans"
            referencedColumns: ["mission_id", "digest"]
          },
          {
            foreignKeyName: "approvals_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "approvals_tenant_id_requested_by_fkey"
            columns: ["tenant_id", "requested_by"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      artifacts: {
        Row: {
          created_at: string
          id: string
          media_type: string
          mission_id: string
          name: string
          sha256: string
          size_bytes: number
          stage: string
          tenant_id: string
        }
        Insert: {
          created_at: string
          id: string
          media_type: string
          mission_id: string
          name: string
          sha256: string
          size_bytes: number
          stage: string
          tenant_id: string
        }
        Update: {
          created_at?: string
          id?: string
          media_type?: string
          mission_id?: string
          name?: string
          sha256?: string
          size_bytes?: number
          stage?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "artifacts_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      audit_log: {
        Row: {
          entry: string
          hash: string
          seq: number
          subject: string
          tenant_id: string
        }
        Insert: {
          entry: string
          hash: string
          seq: number
          subject: string
          tenant_id: string
        }
        Update: {
          entry?: string
          hash?: string
          seq?: number
          subject?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "audit_log_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      breakers: {
        Row: {
          failed: number
          probe: string
          probe_until: string | null
          resume_at: string | null
          tenant_id: string
          toolkit: string
        }
        Insert: {
          failed?: number
          probe?: string
          probe_until?: string | null
          resume_at?: string | null
          tenant_id: string
          toolkit: string
        }
        Update: {
          failed?: number
          probe?: string
          probe_until?: string | null
          resume_at?: string | null
          tenant_id?: string
          toolkit?: string
        }
        Relationships: [
          {
            foreignKeyName: "breakers_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      bundles: {
        Row: {
          artifact_count: number
          created_at: string
          manifest_sha256: string
          mission_id: string
          number: number
          occasion: "execution" | "release" | "undo"
          tenant_id: string
        }
        Insert: {
          artifact_count: number
          created_at: string
          manifest_sha256: string
          mission_id: string
          number?: never
          occasion: "execution" | "release" | "undo"
          tenant_id: string
        }
        Update: {
          artifact_count?: number
          created_at?: string
          manifest_sha256?: string
          mission_id?: string
          number?: never
          occasion?: "execution" | "release" | "undo"
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "bundles_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      connect_links: {
        Row: {
          account: string
          consent_id: string
          created_at: string
          expires_at: string
          granted_scopes: string[]
          id: string
          mission_id: string
          number: number
          ref: string
          requested_scopes: string[]
          settled_at: string | null
          status: "initiated" | "approved" | "expired" | "revoked" | "failed"
          tenant_id: string
          url: string
          why: string
        }
        Insert: {
          account: string
          consent_id: string
          created_at: string
          expires_at: string
          granted_scopes?: string[]
          id: string
          mission_id: string
          number?: never
          ref: string
          requested_scopes: string[]
          settled_at?: string | null
          status: "initiated" | "approved" | "expired" | "revoked" | "failed"
          tenant_id: string
          url: string
          why?: string
        }
        Update: {
          account?: string
          consent_id?: string
          created_at?: string
          expires_at?: string
          granted_scopes?: string[]
          id?: string
          mission_id?: string
          number?: never
          ref?: string
          requested_scopes?: string[]
          settled_at?: string | null
          status?: "initiated" | "approved" | "expired" | "revoked" | "failed"
          tenant_id?: string
          url?: string
          why?: string
        }
        Relationships: [
          {
            foreignKeyName: "connect_links_mission_id_account_fkey"
            columns: ["mission_id", "account"]
            isOneToOne: false
            referencedRelation: "connections"
            referencedColumns: ["mission_id", "account"]
          },
          {
            foreignKeyName: "connect_links_tenant_id_consent_id_fkey"
            columns: ["tenant_id", "consent_id"]
            isOneToOne: false
            referencedRelation: "consents"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "connect_links_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      connections: {
        Row: {
          account: string
          auth: "none" | "needed" | "linking" | "active" | "expired" | "revoked" | "failed"
          auth_ref: string
          config: NonNullable<Json>
          failed_scopes: string[]
          granted_scopes: string[]
          inspected_at: string | null
          mission_id: string
          problem: string
          provider: string
          requested_scopes: string[]
          resource: Json | null
          tenant_id: string
          toolkit: string
          used_scopes: string[]
          wanted_scopes: NonNullable<Json>
        }
        Insert: {
          account: string
          auth?: "none" | "needed" | "linking" | "active" | "expired" | "revoked" | "failed"
          auth_ref?: string
          config: NonNullable<Json>
          failed_scopes?: string[]
          granted_scopes?: string[]
          inspected_at?: string | null
          mission_id: string
          problem?: string
          provider?: string
          requested_scopes?: string[]
          resource?: Json | null
          tenant_id: string
          toolkit: string
          used_scopes?: string[]
          wanted_scopes?: NonNullable<Json>
        }
        Update: {
          account?: string
          auth?: "none" | "needed" | "linking" | "active" | "expired" | "revoked" | "failed"
          auth_ref?: string
          config?: NonNullable<Json>
          failed_scopes?: string[]
          granted_scopes?: string[]
          inspected_at?: string | null
          mission_id?: string
          problem?: string
          provider?: string
          requested_scopes?: string[]
          resource?: Json | null
          tenant_id?: string
          toolkit?: string
          used_scopes?: string[]
          wanted_scopes?: NonNullable<Json>
        }
        Relationships: [
          {
            foreignKeyName: "connections_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      consents: {
        Row: {
          account: string
          expires_at: string
          given_at: string
          id: string
          mission_id: string
          person_id: string
          scopes: string[]
          tenant_id: string
          used_at: string | null
        }
        Insert: {
          account: string
          expires_at: string
          given_at: string
          id: string
          mission_id: string
          person_id: string
          scopes: string[]
          tenant_id: string
          used_at?: string | null
        }
        Update: {
          account?: string
          expires_at?: string
          given_at?: string
          id?: string
          mission_id?: string
          person_id?: string
          scopes?: string[]
          tenant_id?: string
          used_at?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "consents_mission_id_account_fkey"
            columns: ["mission_id", "account"]
            isOneToOne: false
            referencedRelation: "connections"
            referencedColumns: ["mission_id", "account"]
          },
          {
            foreignKeyName: "consents_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "consents_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      credentials: {
        Row: {
          created_at: string
          expires_at: string
          kind: "token" | "session" | "link" | "agent"
          mission_id: string | null
          person_id: string
          revoked_at: string | null
          secret_sha256: string
          tenant_id: string
          used_at: string | null
        }
        Insert: {
          created_at: string
          expires_at: string
          kind: "token" | "session" | "link" | "agent"
          mission_id?: string | null
          person_id: string
          revoked_at?: string | null
          secret_sha256: string
          tenant_id: string
          used_at?: string | null
        }
        Update: {
          created_at?: string
          expires_at?: string
          kind?: "token" | "session" | "link" | "agent"
          mission_id?: string | null
          person_id?: string
          revoked_at?: string | null
          secret_sha256?: string
          tenant_id?: string
          used_at?: string | null
        }
        Relationships: [
          {
            foreignKeyName: "credentials_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "credentials_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "credentials_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      feedback: {
        Row: {
          effort_saved_hours: number | null
          given_at: string
          mission_id: string
          notes: string
          person_id: string
          rating: number
          tenant_id: string
        }
        Insert: {
          effort_saved_hours?: number | null
          given_at: string
          mission_id: string
          notes?: string
          person_id: string
          rating: number
          tenant_id: string
        }
        Update: {
          effort_saved_hours?: number | null
          given_at?: string
          mission_id?: string
          notes?: string
          person_id?: string
          rating?: number
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "feedback_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "feedback_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      findings: {
        Row: {
          facts: NonNullable<Json>
          found_at: string
          id: number
          message: string
          mission_id: string
          rule: string
          tenant_id: string
        }
        Insert: {
          facts?: NonNullable<Json>
          found_at: string
          id?: never
          message: string
          mission_id: string
          rule: string
          tenant_id: string
        }
        Update: {
          facts?: NonNullable<Json>
          found_at?: string
          id?: never
          message?: string
          mission_id?: string
          rule?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "findings_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      followups: {
        Row: {
          attempts: number
          bd_issue: string | null
          created_at: string
          id: string
          labels: string[]
          mission_id: string
          priority: number
          problem: string
          requested_by: string
          status: "waiting" | "created"
          task: string
          tenant_id: string
        }
        Insert: {
          attempts?: number
          bd_issue?: string | null
          created_at: string
          id: string
          labels?: string[]
          mission_id: string
          priority: number
          problem?: string
          requested_by: string
          status: "waiting" | "created"
          task: string
          tenant_id: string
        }
        Update: {
          attempts?: number
          bd_issue?: string | null
          created_at?: string
          id?: string
          labels?: string[]
          mission_id?: string
          priority?: number
          problem?: string
          requested_by?: string
          status?: "waiting" | "created"
          task?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "followups_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "followups_tenant_id_requested_by_fkey"
            columns: ["tenant_id", "requested_by"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      holds: {
        Row: {
          due_at: string
          mission_id: string
          seq: number
          settled_at: string | null
          state: "held" | "released" | "cancelled" | "unknown"
          tenant_id: string
        }
        Insert: {
          due_at: string
          mission_id: string
          seq: number
          settled_at?: string | null
          state: "held" | "released" | "cancelled" | "unknown"
          tenant_id: string
        }
        Update: {
          due_at?: string
          mission_id?: string
          seq?: number
          settled_at?: string | null
          state?: "held" | "released" | "cancelled" | "unknown"
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "holds_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      inspections: {
        Row: {
          account: string
          args: NonNullable<Json>
          data_version: string
          mission_id: string
          purpose: string
          read_at: string
          read_id: string
          result: NonNullable<Json>
          row_count: number
          tenant_id: string
          tool: string
        }
        Insert: {
          account: string
          args: NonNullable<Json>
          data_version: string
          mission_id: string
          purpose: string
          read_at: string
          read_id: string
          result: NonNullable<Json>
          row_count: number
          tenant_id: string
          tool: string
        }
        Update: {
          account?: string
          args?: NonNullable<Json>
          data_version?: string
          mission_id?: string
          purpose?: string
          read_at?: string
          read_id?: string
          result?: NonNullable<Json>
          row_count?: number
          tenant_id?: string
          tool?: string
        }
        Relationships: [
          {
            foreignKeyName: "inspections_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      kill_switches: {
        Row: {
          id: string
          lift_reason: string
          lifted_at: string | null
          lifted_by: string | null
          mission_id: string | null
          number: number
          pulled_at: string
          pulled_by: string
          reason: string
          scope: "mission" | "toolkit" | "tenant" | "system"
          tenant_id: string
          toolkit: string
        }
        Insert: {
          id: string
          lift_reason?: string
          lifted_at?: string | null
          lifted_by?: string | null
          mission_id?: string | null
          number?: never
          pulled_at: string
          pulled_by: string
          reason: string
          scope: "mission" | "toolkit" | "tenant" | "system"
          tenant_id: string
          toolkit?: string
        }
        Update: {
          id?: string
          lift_reason?: string
          lifted_at?: string | null
          lifted_by?: string | null
          mission_id?: string | null
          number?: never
          pulled_at?: string
          pulled_by?: string
          reason?: string
          scope?: "mission" | "toolkit" | "tenant" | "system"
          tenant_id?: string
          toolkit?: string
        }
        Relationships: [
          {
            foreignKeyName: "kill_switches_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "kill_switches_tenant_id_lifted_by_fkey"
            columns: ["tenant_id", "lifted_by"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "kill_switches_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "kill_switches_tenant_id_pulled_by_fkey"
            columns: ["tenant_id", "pulled_by"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      mission_stages: {
        Row: {
          blocking_reason: string
          completed_at: string | null
          mission_id: string
          output: Json | null
          stage: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          started_at: string | null
          status: "pending" | "in_progress" | "ready" | "blocked" | "completed"
          tenant_id: string
        }
        Insert: {
          blocking_reason?: string
          completed_at?: string | null
          mission_id: string
          output?: Json | null
          stage: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          started_at?: string | null
          status: "pending" | "in_progress" | "ready" | "blocked" | "completed"
          tenant_id: string
        }
        Update: {
          blocking_reason?: string
          completed_at?: string | null
          mission_id?: string
          output?: Json | null
          stage?: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          started_at?: string | null
          status?: "pending" | "in_progress" | "ready" | "blocked" | "completed"
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "mission_stages_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      missions: {
        Row: {
          bd_issue: string
          blocking_reason: string
          brain: string
          brief: Json | null
          brief_locked_at: string | null
          brief_version: number
          completed_at: string | null
          correlation_id: string
          coverage_percent: number | null
          created_at: string
          current_stage: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          cursor_seq: number
          driver: "self" | "agent"
          id: string
          intent: string
          offered: Json | null
          owner_id: string
          plan_digest: string | null
          priority: number
          readiness: "unknown" | "needs_auth" | "needs_data" | "blocked" | "degraded" | "ready"
          run_state: "idle" | "running" | "paused" | "stopped" | "failed" | "held" | "finished" | "undoing" | "undone" | "undone_partly" | "undo_stopped"
          status: "draft" | "in_progress" | "ready" | "blocked" | "completed" | "archived"
          step_count: number
          stumbles: number
          tenant_id: string
          tightenings: number
          title: string
          undo_until: string | null
          updated_at: string
        }
        Insert: {
          bd_issue?: string
          blocking_reason?: string
          brain?: string
          brief?: Json | null
          brief_locked_at?: string | null
          brief_version?: number
          completed_at?: string | null
          correlation_id: string
          coverage_percent?: number | null
          created_at: string
          current_stage: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          cursor_seq?: number
          driver?: "self" | "agent"
          id: string
          intent: string
          offered?: Json | null
          owner_id: string
          plan_digest?: string | null
          priority?: number
          readiness: "unknown" | "needs_auth" | "needs_data" | "blocked" | "degraded" | "ready"
          run_state?: "idle" | "running" | "paused" | "stopped" | "failed" | "held" | "finished" | "undoing" | "undone" | "undone_partly" | "undo_stopped"
          status: "draft" | "in_progress" | "ready" | "blocked" | "completed" | "archived"
          step_count?: number
          stumbles?: number
          tenant_id: string
          tightenings?: number
          title: string
          undo_until?: string | null
          updated_at: string
        }
        Update: {
          bd_issue?: string
          blocking_reason?: string
          brain?: string
          brief?: Json | null
          brief_locked_at?: string | null
          brief_version?: number
          completed_at?: string | null
          correlation_id?: string
          coverage_percent?: number | null
          created_at?: string
          current_stage?: "Home" | "Define" | "Prepare" | "Plan" | "Approve" | "Execute" | "Reflect"
          cursor_seq?: number
          driver?: "self" | "agent"
          id?: string
          intent?: string
          offered?: Json | null
          owner_id?: string
          plan_digest?: string | null
          priority?: number
          readiness?: "unknown" | "needs_auth" | "needs_data" | "blocked" | "degraded" | "ready"
          run_state?: "idle" | "running" | "paused" | "stopped" | "failed" | "held" | "finished" | "undoing" | "undone" | "undone_partly" | "undo_stopped"
          status?: "draft" | "in_progress" | "ready" | "blocked" | "completed" | "archived"
          step_count?: number
          stumbles?: number
          tenant_id?: string
          tightenings?: number
          title?: string
          undo_until?: string | null
          updated_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "missions_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "missions_tenant_id_owner_id_fkey"
            columns: ["tenant_id", "owner_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      named_values: {
        Row: {
          mission_id: string
          named_at: string
          person_id: string
          tenant_id: string
          value: string
          value_digest: string
        }
        Insert: {
          mission_id: string
          named_at: string
          person_id: string
          tenant_id: string
          value: string
          value_digest: string
        }
        Update: {
          mission_id?: string
          named_at?: string
          person_id?: string
          tenant_id?: string
          value?: string
          value_digest?: string
        }
        Relationships: [
          {
            foreignKeyName: "named_values_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "named_values_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      people: {
        Row: {
          created_at: string
          disabled_at: string | null
          display_name: string
          email: string
          id: string
          roles: string[]
          tenant_id: string
        }
        Insert: {
          created_at: string
          disabled_at?: string | null
          display_name: string
          email: string
          id: string
          roles: string[]
          tenant_id: string
        }
        Update: {
          created_at?: string
          disabled_at?: string | null
          display_name?: string
          email?: string
          id?: string
          roles?: string[]
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "people_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      plans: {
        Row: {
          created_at: string
          digest: string
          mission_id: string
          plan: NonNullable<Json>
          tenant_id: string
        }
        Insert: {
          created_at: string
          digest: string
          mission_id: string
          plan: NonNullable<Json>
          tenant_id: string
        }
        Update: {
          created_at?: string
          digest?: string
          mission_id?: string
          plan?: NonNullable<Json>
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "plans_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      plays: {
        Row: {
          mission_id: string
          play: NonNullable<Json>
          rank: number
          rehearsal: NonNullable<Json>
          selected_at: string | null
          tenant_id: string
        }
        Insert: {
          mission_id: string
          play: NonNullable<Json>
          rank: number
          rehearsal: NonNullable<Json>
          selected_at?: string | null
          tenant_id: string
        }
        Update: {
          mission_id?: string
          play?: NonNullable<Json>
          rank?: number
          rehearsal?: NonNullable<Json>
          selected_at?: string | null
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "plays_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      safeguard_acks: {
        Row: {
          acknowledged_at: string
          brief_version: number
          capacity: "owner" | "governance"
          mission_id: string
          person_id: string
          tenant_id: string
        }
        Insert: {
          acknowledged_at: string
          brief_version: number
          capacity: "owner" | "governance"
          mission_id: string
          person_id: string
          tenant_id: string
        }
        Update: {
          acknowledged_at?: string
          brief_version?: number
          capacity?: "owner" | "governance"
          mission_id?: string
          person_id?: string
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "safeguard_acks_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "safeguard_acks_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      secrets: {
        Row: {
          created_at: string
          destroyed_at: string | null
          fingerprint: string
          id: string
          name: string
          sealed: string | null
          tenant_id: string
        }
        Insert: {
          created_at: string
          destroyed_at?: string | null
          fingerprint: string
          id: string
          name: string
          sealed?: string | null
          tenant_id: string
        }
        Update: {
          created_at?: string
          destroyed_at?: string | null
          fingerprint?: string
          id?: string
          name?: string
          sealed?: string | null
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "secrets_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      telemetry_events: {
        Row: {
          agent_name: string
          context: NonNullable<Json>
          correlation_id: string
          created_at: string
          duration_ms: number | null
          event_id: string
          event_type: string
          id: number
          mission_id: string | null
          payload_sha: string
          person_id: string | null
          span_id: string
          stage: string
          status: "info" | "success" | "warning" | "error"
          tenant_id: string
          toolkit: string
          trace_id: string
        }
        Insert: {
          agent_name?: string
          context: NonNullable<Json>
          correlation_id: string
          created_at: string
          duration_ms?: number | null
          event_id?: string
          event_type: string
          id?: never
          mission_id?: string | null
          payload_sha: string
          person_id?: string | null
          span_id?: string
          stage?: string
          status: "info" | "success" | "warning" | "error"
          tenant_id: string
          toolkit?: string
          trace_id?: string
        }
        Update: {
          agent_name?: string
          context?: NonNullable<Json>
          correlation_id?: string
          created_at?: string
          duration_ms?: number | null
          event_id?: string
          event_type?: string
          id?: never
          mission_id?: string | null
          payload_sha?: string
          person_id?: string | null
          span_id?: string
          stage?: string
          status?: "info" | "success" | "warning" | "error"
          tenant_id?: string
          toolkit?: string
          trace_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "telemetry_events_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
          {
            foreignKeyName: "telemetry_events_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      telemetry_logs: {
        Row: {
          attributes: NonNullable<Json>
          body: NonNullable<Json>
          correlation_id: string
          created_at: string
          event_name: string
          log_id: string
          mission_id: string
          resource: NonNullable<Json>
          service: string
          severity: number
          severity_text: string
          span_id: string
          tenant_id: string
          trace_id: string
        }
        Insert: {
          attributes: NonNullable<Json>
          body: NonNullable<Json>
          correlation_id?: string
          created_at: string
          event_name?: string
          log_id: string
          mission_id?: string
          resource: NonNullable<Json>
          service: string
          severity: number
          severity_text?: string
          span_id?: string
          tenant_id: string
          trace_id?: string
        }
        Update: {
          attributes?: NonNullable<Json>
          body?: NonNullable<Json>
          correlation_id?: string
          created_at?: string
          event_name?: string
          log_id?: string
          mission_id?: string
          resource?: NonNullable<Json>
          service?: string
          severity?: number
          severity_text?: string
          span_id?: string
          tenant_id?: string
          trace_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "telemetry_logs_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      telemetry_rollup_1h: {
        Row: {
          bucket: string
          event_type: string
          n: number
          stage: string
          status: string
          sum_ms: number
          tenant_id: string
          toolkit: string
          value_bucket: number
        }
        Insert: {
          bucket: string
          event_type: string
          n: number
          stage: string
          status: string
          sum_ms: number
          tenant_id: string
          toolkit: string
          value_bucket: number
        }
        Update: {
          bucket?: string
          event_type?: string
          n?: number
          stage?: string
          status?: string
          sum_ms?: number
          tenant_id?: string
          toolkit?: string
          value_bucket?: number
        }
        Relationships: [
          {
            foreignKeyName: "telemetry_rollup_1h_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      telemetry_rollup_5m: {
        Row: {
          bucket: string
          event_type: string
          n: number
          stage: string
          status: string
          sum_ms: number
          tenant_id: string
          toolkit: string
          value_bucket: number
        }
        Insert: {
          bucket: string
          event_type: string
          n: number
          stage: string
          status: string
          sum_ms: number
          tenant_id: string
          toolkit: string
          value_bucket: number
        }
        Update: {
          bucket?: string
          event_type?: string
          n?: number
          stage?: string
          status?: string
          sum_ms?: number
          tenant_id?: string
          toolkit?: string
          value_bucket?: number
        }
        Relationships: [
          {
            foreignKeyName: "telemetry_rollup_5m_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      telemetry_spans: {
        Row: {
          attributes: NonNullable<Json>
          correlation_id: string
          created_at: string
          duration_ms: number
          events: NonNullable<Json>
          kind: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified"
          links: NonNullable<Json>
          mission_id: string
          name: string
          parent_span_id: string
          resource: NonNullable<Json>
          service: string
          span_id: string
          status: "unset" | "ok" | "error"
          tenant_id: string
          trace_id: string
        }
        Insert: {
          attributes: NonNullable<Json>
          correlation_id?: string
          created_at: string
          duration_ms: number
          events: NonNullable<Json>
          kind: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified"
          links: NonNullable<Json>
          mission_id?: string
          name: string
          parent_span_id?: string
          resource: NonNullable<Json>
          service: string
          span_id: string
          status: "unset" | "ok" | "error"
          tenant_id: string
          trace_id: string
        }
        Update: {
          attributes?: NonNullable<Json>
          correlation_id?: string
          created_at?: string
          duration_ms?: number
          events?: NonNullable<Json>
          kind?: "internal" | "server" | "client" | "producer" | "consumer" | "unspecified"
          links?: NonNullable<Json>
          mission_id?: string
          name?: string
          parent_span_id?: string
          resource?: NonNullable<Json>
          service?: string
          span_id?: string
          status?: "unset" | "ok" | "error"
          tenant_id?: string
          trace_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "telemetry_spans_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      tenants: {
        Row: {
          created_at: string
          id: string
          name: string
          slug: string
        }
        Insert: {
          created_at: string
          id: string
          name: string
          slug: string
        }
        Update: {
          created_at?: string
          id?: string
          name?: string
          slug?: string
        }
        Relationships: []
      }
      tightenings: {
        Row: {
          approval_id: string
          guard: NonNullable<Json>
          mission_id: string
          number: number
          person_id: string
          reason: string
          safeguard_id: string
          tenant_id: string
          tightened_at: string
        }
        Insert: {
          approval_id: string
          guard: NonNullable<Json>
          mission_id: string
          number?: never
          person_id: string
          reason: string
          safeguard_id: string
          tenant_id: string
          tightened_at: string
        }
        Update: {
          approval_id?: string
          guard?: NonNullable<Json>
          mission_id?: string
          number?: never
          person_id?: string
          reason?: string
          safeguard_id?: string
          tenant_id?: string
          tightened_at?: string
        }
        Relationships: [
          {
            foreignKeyName: "tightenings_tenant_id_approval_id_fkey"
            columns: ["tenant_id", "approval_id"]
            isOneToOne: false
            referencedRelation: "approvals"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "tightenings_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "tightenings_tenant_id_person_id_fkey"
            columns: ["tenant_id", "person_id"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      tool_calls: {
        Row: {
          account: string
          approval_id: string | null
          args: NonNullable<Json>
          args_digest: string
          before: NonNullable<Json>
          error: string
          finished_at: string | null
          id: number
          key: string
          mission_id: string
          mutates: boolean
          outcome: Json | null
          purpose: "step" | "release" | "read"
          reconciled: boolean
          seq: number
          started_at: string
          state: "intent" | "done" | "failed" | "unknown"
          tenant_id: string
          tool: string
          verdicts: NonNullable<Json>
          worker: string
        }
        Insert: {
          account: string
          approval_id?: string | null
          args: NonNullable<Json>
          args_digest: string
          before: NonNullable<Json>
          error?: string
          finished_at?: string | null
          id?: never
          key: string
          mission_id: string
          mutates: boolean
          outcome?: Json | null
          purpose: "step" | "release" | "read"
          reconciled?: boolean
          seq: number
          started_at: string
          state: "intent" | "done" | "failed" | "unknown"
          tenant_id: string
          tool: string
          verdicts: NonNullable<Json>
          worker: string
        }
        Update: {
          account?: string
          approval_id?: string | null
          args?: NonNullable<Json>
          args_digest?: string
          before?: NonNullable<Json>
          error?: string
          finished_at?: string | null
          id?: never
          key?: string
          mission_id?: string
          mutates?: boolean
          outcome?: Json | null
          purpose?: "step" | "release" | "read"
          reconciled?: boolean
          seq?: number
          started_at?: string
          state?: "intent" | "done" | "failed" | "unknown"
          tenant_id?: string
          tool?: string
          verdicts?: NonNullable<Json>
          worker?: string
        }
        Relationships: [
          {
            foreignKeyName: "tool_calls_tenant_id_approval_id_fkey"
            columns: ["tenant_id", "approval_id"]
            isOneToOne: false
            referencedRelation: "approvals"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "tool_calls_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      tool_declarations: {
        Row: {
          name: string
          ref: string
          seen_at: string
          spec: NonNullable<Json>
          tenant_id: string
        }
        Insert: {
          name: string
          ref: string
          seen_at: string
          spec: NonNullable<Json>
          tenant_id: string
        }
        Update: {
          name?: string
          ref?: string
          seen_at?: string
          spec?: NonNullable<Json>
          tenant_id?: string
        }
        Relationships: [
          {
            foreignKeyName: "tool_declarations_tenant_id_fkey"
            columns: ["tenant_id"]
            isOneToOne: false
            referencedRelation: "tenants"
            referencedColumns: ["id"]
          },
        ]
      }
      undo_runs: {
        Row: {
          dry_run: boolean
          finished_at: string | null
          id: string
          mission_id: string
          number: number
          reason: string
          requested_at: string
          requested_by: string
          state: "running" | "done" | "stopped"
          tenant_id: string
          to_step: number
        }
        Insert: {
          dry_run?: boolean
          finished_at?: string | null
          id: string
          mission_id: string
          number?: never
          reason: string
          requested_at: string
          requested_by: string
          state: "running" | "done" | "stopped"
          tenant_id: string
          to_step?: number
        }
        Update: {
          dry_run?: boolean
          finished_at?: string | null
          id?: string
          mission_id?: string
          number?: never
          reason?: string
          requested_at?: string
          requested_by?: string
          state?: "running" | "done" | "stopped"
          tenant_id?: string
          to_step?: number
        }
        Relationships: [
          {
            foreignKeyName: "undo_runs_tenant_id_mission_id_fkey"
            columns: ["tenant_id", "mission_id"]
            isOneToOne: false
            referencedRelation: "missions"
            referencedColumns: ["tenant_id", "id"]
          },
          {
            foreignKeyName: "undo_runs_tenant_id_requested_by_fkey"
            columns: ["tenant_id", "requested_by"]
            isOneToOne: false
            referencedRelation: "people"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
      undo_steps: {
        Row: {
          difference: NonNullable<Json>
          residue: string
          seq: number
          status: "restored" | "already" | "conflict" | "impossible" | "failed"
          tenant_id: string
          undo_id: string
          undone_at: string
          why: string
        }
        Insert: {
          difference?: NonNullable<Json>
          residue?: string
          seq: number
          status: "restored" | "already" | "conflict" | "impossible" | "failed"
          tenant_id: string
          undo_id: string
          undone_at: string
          why?: string
        }
        Update: {
          difference?: NonNullable<Json>
          residue?: string
          seq?: number
          status?: "restored" | "already" | "conflict" | "impossible" | "failed"
          tenant_id?: string
          undo_id?: string
          undone_at?: string
          why?: string
        }
        Relationships: [
          {
            foreignKeyName: "undo_steps_tenant_id_undo_id_fkey"
            columns: ["tenant_id", "undo_id"]
            isOneToOne: false
            referencedRelation: "undo_runs"
            referencedColumns: ["tenant_id", "id"]
          },
        ]
      }
    }
    Views: {
      play_precedents: {
        Row: {
          finished: number | null
          play_id: string | null
          rating: number | null
          tenant_id: string | null
        }
        Relationships: []
      }
    }
    Functions: { [_ in never]: never }
    Enums: { [_ in never]: never }
    CompositeTypes: { [_ in never]: never }
  }
}

type Public = Database["public"]

export type Tables<Name extends keyof (Public["Tables"] & Public["Views"])> =
  (Public["Tables"] & Public["Views"])[Name]["Row"]
export type TablesInsert<Name extends keyof Public["Tables"]> = Public["Tables"][Name]["Insert"]
export type TablesUpdate<Name extends keyof Public["Tables"]> = Public["Tables"][Name]["Update"]
export type Enums<Name extends keyof Public["Enums"]> = Public["Enums"][Name]
