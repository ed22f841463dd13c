"""The house that blueprints act in: template lights and fans that remember what they were told, and a phone."""

FAN = """\
      - name: @NAME@
        unique_id: @ID@_fan
        state: "{{ is_state('input_boolean.@KEY@_on', 'on') }}"
        percentage: "{{ states('input_number.@KEY@_speed') | int(0) }}"
        turn_on: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.@KEY@_on}}]
        turn_off: [{action: input_boolean.turn_off, target: {entity_id: input_boolean.@KEY@_on}}]
        set_percentage:
          - {action: input_boolean.turn_on, target: {entity_id: input_boolean.@KEY@_on}}
          - {action: input_number.set_value, target: {entity_id: input_number.@KEY@_speed}, data: {value: "{{ percentage }}"}}
"""


def fan(name, key):
    """A fan whose helpers begin with `key`."""
    return FAN.replace("@NAME@", name).replace("@ID@", name.lower()).replace("@KEY@", key)


NEWEST = """
template:
  - light:
      - name: Room
        unique_id: room
        state: "{{ is_state('input_boolean.room_lit', 'on') }}"
        level: "{{ states('input_number.room_level') | int(0) }}"
        rgb: "{{ states('input_text.room_colour').split(',') | map('int') | list }}"
        turn_on: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.room_lit}}]
        turn_off: [{action: input_boolean.turn_off, target: {entity_id: input_boolean.room_lit}}]
        set_level:
          - {action: input_boolean.turn_on, target: {entity_id: input_boolean.room_lit}}
          - {action: input_number.set_value, target: {entity_id: input_number.room_level}, data: {value: "{{ brightness }}"}}
        set_rgb:
          - {action: input_boolean.turn_on, target: {entity_id: input_boolean.room_lit}}
          - {action: input_text.set_value, target: {entity_id: input_text.room_colour}, data: {value: "{{ rgb | join(',') }}"}}
          # one of these scripts runs for one call
          - if: "{{ brightness is defined }}"
            then:
              - {action: input_number.set_value, target: {entity_id: input_number.room_level}, data: {value: "{{ brightness }}"}}
        supports_transition: "{{ true }}"
  - fan:
@FANS@notify:
  - name: phone
    platform: group
    services: [{action: persistent_notification}]
""".replace("@FANS@", fan("Room", "fan") + fan("Hall", "hall"))

CONFIGURATION = """
homeassistant:
  name: Test
  unit_system: metric
  time_zone: @ZONE@
  country: GB
http:
  server_host: 127.0.0.1
  server_port: @PORT@
config:
history:
logbook:
recorder:
  commit_interval: 1
logger:
  default: warning
lovelace:
  dashboards:
    hrvd-test:
      mode: yaml
      title: Heart
      icon: mdi:heart-pulse
      show_in_sidebar: true
      filename: dashboards/hrvd.yaml
automation: !include automations.yaml
input_boolean:
  room_lit: {name: Lit}
  fan_on: {name: Fan}
  hall_on: {name: Hall}
  easy: {name: Easy}
  pace: {name: Pace}
  plan: {name: Plan}
  nudged: {name: Nudged}
  asked: {name: Asked}
input_number:
  room_level: {name: Level, min: 0, max: 255, initial: 128}
  fan_speed: {name: Speed, min: 0, max: 100}
  hall_speed: {name: Hall, min: 0, max: 100}
  feel: {name: Feel, min: 0, max: 10, initial: 0}
input_datetime:
  battery_at: {name: Battery, has_time: true, has_date: false, initial: "03:59:59"}
  check_by: {name: Check, has_time: true, has_date: false, initial: "03:59:59"}
input_text:
  room_colour: {name: Colour, initial: "255,255,255"}
input_select:
  level: {name: Level, options: [GO, CAUTION, EASY, REST, UNKNOWN], initial: GO}
@HOUSE@
"""

# Each blueprint once. What a test waits for happens soon; what a person would choose stays as it is.
AUTOMATIONS = """
- id: ready
  alias: ready
  use_blueprint: {path: hrvd/morning_check_ready.yaml, input: {notify: notify.phone}}
- id: ready_alone
  alias: ready without verdicts
  use_blueprint: {path: hrvd/morning_check_ready.yaml, input: {verdict: []}}
- id: feel_first
  alias: feel first
  use_blueprint:
    path: hrvd/feel_first.yaml
    input:
      notify: notify.phone
      feel: [input_number.feel]
      good: "2"
      usual: "4"
      poor: "6"
      then: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.asked}}]
- id: no_check
  alias: no check
  use_blueprint: {path: hrvd/no_check_by.yaml, input: {at: input_datetime.check_by}}
- id: fan
  alias: fan
  use_blueprint:
    path: hrvd/heart_rate_fan.yaml
    input: {fan: fan.room, apart: 0, lost_after: {seconds: 1}, lost_speed: 30}
- id: slow_fan
  alias: slow fan
  use_blueprint:
    path: hrvd/heart_rate_fan.yaml
    input: {fan: fan.hall, only_while: input_boolean.plan, apart: 10, lost_after: {seconds: 1}, lost_speed: 30}
- id: light
  alias: light
  use_blueprint:
    path: hrvd/heart_rate_light.yaml
    input: {light: light.room, only_while: input_boolean.plan, lost_after: {seconds: 1}}
- id: pacer
  alias: pacer
  use_blueprint:
    path: hrvd/breathing_pacer.yaml
    input: {start: input_boolean.pace, light: light.room, rate: 6, minutes: 1, bright: 100, dark: 10}
- id: ceiling
  alias: ceiling
  use_blueprint:
    path: hrvd/easy_ceiling.yaml
    input:
      ceiling: 140
      only_while: input_boolean.easy
      above_for: {seconds: 1}
      quiet_from: "13:00:00"
      quiet_to: "14:00:00"
      above: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.nudged}}]
      back: [{action: input_boolean.turn_off, target: {entity_id: input_boolean.nudged}}]
- id: battery
  alias: battery
  use_blueprint: {path: hrvd/strap_battery_low.yaml, input: {at: input_datetime.battery_at}}
- id: wake
  alias: wake
  use_blueprint:
    path: hrvd/wake_up_light.yaml
    input: {light: light.room, from: "00:00:00", to: "23:59:59", sunrise: 0, failed_for: {seconds: 2}}
- id: moved
  alias: moved
  use_blueprint: {path: hrvd/hard_session_moved.yaml, input: {readiness: input_select.level, plan: input_boolean.plan}}
- id: moved_plan
  alias: moved by the plan of the day
  use_blueprint:
    path: hrvd/hard_session_moved.yaml
    input:
      actions:
        - action: persistent_notification.create
          data: {title: Plan, message: "{{ level }}: {{ session }}", notification_id: hrvd_moved}
- id: moved_calendar
  alias: moved by calendar
  use_blueprint:
    path: hrvd/hard_session_moved.yaml
    input:
      readiness: input_select.level
      plan: calendar.training
      actions:
        - action: persistent_notification.create
          data: {title: Calendar, message: "{{ session }}", notification_id: hrvd_calendar}
"""
AUTOMATIONS += """
- id: ceiling_quiet
  alias: ceiling in quiet hours
  use_blueprint:
    path: hrvd/easy_ceiling.yaml
    input:
      ceiling: 140
      above_for: {seconds: 1}
      quiet_from: "00:00:00"
      quiet_to: "23:59:59"
      above: [{action: persistent_notification.create, data: {message: loud, notification_id: hrvd_loud}}]
      quiet: [{action: persistent_notification.create, data: {message: quiet, notification_id: hrvd_quiet}}]
"""


def write(house, dashboard, zone):
    """Everything but blueprints into the configuration folder."""
    newest = house.short != "2024.12"
    text = CONFIGURATION.replace("@PORT@", str(house.port)).replace("@HOUSE@", NEWEST if newest else "").replace("@ZONE@", zone)
    house.write("configuration.yaml", text)
    house.write("automations.yaml", AUTOMATIONS if newest else "[]\n")
    house.write("dashboards/hrvd.yaml", dashboard)
